import sys
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import books, clock
from core.months import BillingMonth, NotAMonth


class Command(BaseCommand):
    help = "Prove that the books are sound: one line for each breach, exit code 1 if there is any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write the breaches as JSON")
        parser.add_argument("--since", metavar="YYYY-MM", help="leave out the months before")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            since = BillingMonth.parse(options["since"]) if options["since"] else None
        except NotAMonth as fault:
            raise CommandError(f"{fault} is not a month: write YYYY-MM.") from fault
        quiet = options["json"] or options["verbosity"] < 1
        found = books.breaches(
            since=since, now=clock.now(), progress=None if quiet else self._progress
        )
        if options["json"]:
            rows = [
                {"invariant": each.invariant, "what": each.what, "ids": dict(each.ids)}
                for each in found
            ]
            self.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        else:
            for breach in found:
                self.stdout.write(str(breach))
            if not found:
                self.stdout.write(self.style.SUCCESS("The books are sound."))
        if found:
            self.stderr.write(self.style.ERROR(f"{len(found)} breaches"))
            sys.exit(1)

    def _progress(self, check: books.Check) -> None:
        self.stderr.write(f"{check.invariant}  {check.what}?")
