import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.queries import verify, verify_credits, verify_spots
from billing.queries.verify import Verified
from core.months import BillingMonth, NotAMonth

_STEP = 1000


class Command(BaseCommand):
    help = "Rate every issued invoice once more from its facts; exit code 1 if one differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", metavar="YYYY-MM", help="this month alone")
        parser.add_argument("--since", metavar="YYYY-MM", help="leave out the months before")

    def handle(self, *args: Any, **options: Any) -> None:
        of = {"month": _month(options["month"]), "since": _month(options["since"])}
        self._is_quiet = options["verbosity"] < 1
        right = self._verify(verify.verified(**of), verify.count(**of), "billed months")
        spots = verify_spots.count(**of)
        if spots:
            right &= self._verify(verify_spots.verified(**of), spots, "spot invoices")
        notes = verify_credits.count(**of)
        if notes:
            right &= self._verify(verify_credits.verified(**of), notes, "credit notes")
        if not right:
            sys.exit(1)

    def _verify(self, all_verified: Iterator[Verified], total: int, of_what: str) -> bool:
        """Say what differs; return whether nothing does."""
        differing = 0
        for done, verified in enumerate(all_verified, 1):
            differing += bool(verified.differences)
            for difference in verified.differences:
                self.stdout.write(str(difference))
            if not self._is_quiet and (done % _STEP == 0 or done == total):
                self.stderr.write(f"{done} of {total} {of_what}", ending="\r")
        if not self._is_quiet:
            self.stderr.write("")
        if differing:
            self.stderr.write(self.style.ERROR(f"{differing} of {total} {of_what} differ."))
        else:
            self.stdout.write(self.style.SUCCESS(f"{total} {of_what} are as they were issued."))
        return not differing


def _month(written: str | None) -> BillingMonth | None:
    try:
        return BillingMonth.parse(written) if written else None
    except NotAMonth as fault:
        raise CommandError(f"{fault} is not a month: write YYYY-MM.") from fault
