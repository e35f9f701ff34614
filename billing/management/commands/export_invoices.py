import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.documents import exports
from billing.queries import invoices
from core.months import BillingMonth, NotAMonth


class Command(BaseCommand):
    help = "Write the invoices of a month for other programs, a few hundred in memory at a time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("month", help="The billed month, as YYYY-MM.")
        parser.add_argument(
            "--format",
            dest="form",
            choices=["csv", "json", "focus"],
            default="csv",
            help="csv: a row a line; json: an object an invoice; focus: FOCUS 1.0 (default: csv).",
        )
        parser.add_argument(
            "--output", type=Path, help="The file to write; it appears when it is complete."
        )
        parser.add_argument(
            "--bom", action="store_true", help="Begin CSV with a mark by which Excel sees UTF-8."
        )

    def handle(
        self, *, month: str, form: str, output: Path | None, bom: bool, **options: Any
    ) -> None:
        try:
            wanted = BillingMonth.parse(month)
        except NotAMonth as error:
            raise CommandError(f"{month!r} is no month. Write it as 2026-10.") from error
        sheets = invoices.sheets_of_month(wanted)
        if form == "json":
            parts = exports.as_json(sheets)
        elif form == "focus":
            parts = exports.as_focus(sheets, bom=bom)
        else:
            parts = exports.as_csv(sheets, bom=bom)
        if output is None:
            for part in parts:
                self.stdout.write(part, ending="")
            return
        try:
            _write(parts, output)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error


def _write(parts: Iterator[str], output: Path) -> None:
    """Write beside the file and put it in place when it is complete."""
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.writelines(parts)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
