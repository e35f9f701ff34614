"""The month end by hand: run it, try it out, see how it stands, let a parked organisation go on."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Organisation
from billing.enums import ParkReason
from billing.queries import runs as standing
from billing.services import park, rehearse, runs
from billing.services.issue import TooManyFail
from core import clock, money
from core.months import BillingMonth, NotAMonth
from plans import queries as plans


class Command(BaseCommand):
    help = "Bill a month for every organisation here and now; what is billed is left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", type=_month, help="the month, as 2026-10")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--dry-run",
            action="store_true",
            help="store nothing; compare with the month before and list what is unusual",
        )
        what.add_argument("--status", action="store_true", help="show how the month stands")
        what.add_argument(
            "--release", metavar="ORGANISATION", help="let a parked organisation go on (reference)"
        )
        parser.add_argument(
            "--hands", type=int, default=1, help="pages billed at once, each on its own connection"
        )
        parser.add_argument("--reason", default="", help="why it is released; kept for ever")

    def handle(self, *args: Any, month: BillingMonth, **options: Any) -> None:
        try:
            if options["status"]:
                self._status(month)
            elif options["release"]:
                self._release(options["release"], options["reason"])
            elif options["dry_run"]:
                self._dry_run(month)
            else:
                self._run(month, max(options["hands"], 1))
        except plans.NoVendor as refused:
            raise CommandError(str(refused)) from refused
        except runs.MonthNotOver as refused:
            raise CommandError(f"{month} is not over; it is billed when it is.") from refused
        except runs.InGrace as refused:
            zone = plans.vendor_zone()
            until = f"{refused.until.astimezone(zone):%Y-%m-%d %H:%M %Z}"
            raise CommandError(
                f"{month} is over, but late usage is waited for until {until}. Try it out with --dry-run."
            ) from refused

    def _run(self, month: BillingMonth, hands: int) -> None:
        try:
            ran = runs.run_month(month, now=clock.now(), on_progress=self._progress, hands=hands)
        except TooManyFail as failed:
            raise CommandError(f"Stopped, nobody was parked: {failed}") from failed
        outcome = ran.outcome
        self.stdout.write(
            f"{month}: {outcome.invoiced} invoices issued, {outcome.nothing} with nothing to bill,"
            f" {outcome.parked} parked."
        )
        if ran.behind:
            self.stdout.write(
                f"Somebody still waits for {ran.behind}: run that month, or leave it to the worker."
            )

    def _dry_run(self, month: BillingMonth) -> None:
        found = rehearse.rehearse(month, now=clock.now(), on_progress=self._progress)
        self.stdout.write(f"{month}, nothing stored:")
        for currency, (now, before) in sorted(found.totals.items()):
            self.stdout.write(
                f"  {currency}: {now.count} invoices, {money.written(now.gross, currency)}"
                f" (the month before {before.count}, {money.written(before.gross, currency)})"
            )
        self.stdout.write(f"  {found.nothing} with nothing to bill")
        for title, unusual in (
            ("Would be parked", found.refused),
            ("Nothing now, an invoice before", found.vanished),
            ("Largest changes", found.changes),
        ):
            if unusual:
                self.stdout.write(f"{title}:")
                for each in unusual:
                    self.stdout.write(f"  {each}")

    def _status(self, month: BillingMonth) -> None:
        status = standing.status(month)
        state = status.run.get_state_display() if status.run else "not begun"
        self.stdout.write(
            f"{month}: {state}. {status.invoiced} invoices, {status.nothing} with nothing to bill,"
            f" {len(status.parked)} parked, {status.documents} documents made."
        )
        for total in status.totals:
            self.stdout.write(
                f"  {total.currency}: net {money.written(total.net, total.currency)},"
                f" tax {money.written(total.tax, total.currency)},"
                f" gross {money.written(total.gross, total.currency)}"
            )
        for parked in status.parked:
            reason = ParkReason(parked.reason).label
            first_line = parked.detail.partition("\n")[0]
            self.stdout.write(
                f"  parked: {parked.organisation.reference}: {reason} {first_line}"
                f" (looked after by {parked.owner})"
            )

        for reference in status.switched_off:
            self.stdout.write(f"  automatic invoicing is off: {reference}")

    def _release(self, reference: str, reason: str) -> None:
        organisation = Organisation.objects.filter(reference=reference).first()
        if organisation is None:
            raise CommandError(f"There is no organisation {reference}.")
        try:
            month = park.release(
                organisation_id=organisation.pk,
                actor="system:command-line",
                reason=reason,
                now=clock.now(),
            )
        except park.ReasonMissing as refused:
            raise CommandError("Say why with --reason.") from refused
        except park.NothingParked as refused:
            raise CommandError(f"No month of {reference} is parked.") from refused
        self.stdout.write(f"{reference} goes on with {month}.")

    def _progress(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            filled = 40 * done // max(total, 1)
            bar = "█" * filled + "·" * (40 - filled)
            self.stderr.write(f"\r{bar} {done}/{total}", ending="\n" if done >= total else "")


def _month(written: str) -> BillingMonth:
    try:
        return BillingMonth.parse(written)
    except NotAMonth as fault:
        raise ArgumentTypeError(f"{written!r} is no month; write it as 2026-10.") from fault
