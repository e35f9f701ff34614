import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.queries import verify
from core.months import BillingMonth, NotAMonth

_STEP = 1000


class Command(BaseCommand):
    help = "Rate every issued invoice once more from its facts; exit code 1 if one differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", metavar="YYYY-MM", help="this month alone")
        parser.add_argument("--since", metavar="YYYY-MM", help="leave out the months before")

    def handle(self, *args: Any, **options: Any) -> None:
        month, since = _month(options["month"]), _month(options["since"])
        total = verify.count(month=month, since=since)
        differing = 0
        for done, verified in enumerate(verify.verified(month=month, since=since), 1):
            differing += bool(verified.differences)
            for difference in verified.differences:
                self.stdout.write(str(difference))
            if options["verbosity"] > 0 and (done % _STEP == 0 or done == total):
                self.stderr.write(f"{done} of {total} billed months", ending="\r")
        if options["verbosity"] > 0:
            self.stderr.write("")
        if differing:
            self.stderr.write(self.style.ERROR(f"{differing} of {total} billed months differ."))
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS(f"{total} billed months are as they were issued."))


def _month(written: str | None) -> BillingMonth | None:
    try:
        return BillingMonth.parse(written) if written else None
    except NotAMonth as fault:
        raise CommandError(f"{fault} is not a month: write YYYY-MM.") from fault
