import io
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.enums import Language
from core import clock
from core.tables import csv_lines
from plans import queries as plans
from plans.models import Meter
from plans.services.selections import NoPrice
from usage.forms import files
from usage.forms.files import NotUsage
from usage.rules import Refused
from usage.services import batches, ingest, organisations
from usage.services.batches import Row
from usage.services.staging import Window

ACTOR = "system:import-usage"
_LISTED = 20
_BAR = 30

Rows = Iterator[Row | Refused | NotUsage]


class Command(BaseCommand):
    help = "Import usage events from a file. A run that comes again stores nothing twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=["csv", "ndjson", "focus"], required=True)
        parser.add_argument(
            "--report", type=Path, help="write every row that was not taken to this CSV file"
        )
        focus = parser.add_argument_group("organisations of a FOCUS file")
        focus.add_argument(
            "--create-organisations",
            action="store_true",
            help="create an organisation for each sub-account that has none",
        )
        focus.add_argument("--licence", help="code of the plan that they are on")
        focus.add_argument("--since", type=_day, help="YYYY-MM-DD, from which day they are on it")
        focus.add_argument("--country", default="JP")
        focus.add_argument("--currency", default="JPY")
        focus.add_argument("--language", choices=Language.values, default=Language.EN.value)

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        path: Path = options["file"]
        try:
            created: list[str] = []
            if options["create_organisations"]:
                created = self._create_organisations(path, options, now)
            run = Run(self._progress(path))
            with _opened(path) as file:
                run.take_all(_reader(options["format"])(file), file)
            organisations.let_invoice(created, actor=ACTOR, now=clock.now())
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except files.WrongFile as error:
            raise CommandError(f"{path}, {error}") from error
        except plans.NoVendor as error:
            raise CommandError(str(error)) from error
        self._summarise(run, options["report"])

    def _create_organisations(
        self, path: Path, options: dict[str, Any], now: datetime
    ) -> list[str]:
        if options["format"] != "focus" or not options["licence"] or not options["since"]:
            raise CommandError(
                "--create-organisations goes with --format focus, --licence CODE and --since DAY."
            )
        terms = organisations.Terms(
            licence=options["licence"],
            since=options["since"],
            country=options["country"],
            currency=options["currency"],
            language=Language(options["language"]),
        )
        with _opened(path) as file:
            found = files.focus_accounts(file)
        try:
            created = organisations.create_missing(found, terms, actor=ACTOR, now=now)
        except (organisations.NotOnSale, NoPrice) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{created} organisations created, {len(found) - created} were there.")
        return found

    def _progress(self, path: Path) -> Callable[[int, int], None]:
        size = max(path.stat().st_size, 1)
        if not self.stderr.isatty():
            return lambda *_: None

        def show(position: int, rows: int) -> None:
            done = min(position / size, 1.0)
            bar = "#" * int(done * _BAR)
            end = "\n" if done == 1 else ""
            self.stderr.write(f"\r[{bar:{_BAR}}] {done:4.0%}  {rows:,} rows", ending=end)
            self.stderr.flush()

        return show

    def _summarise(self, run: "Run", report: Path | None) -> None:
        counts = run.counts
        self.stdout.write(
            f"{run.rows:,} rows: {counts['accepted']:,} accepted,"
            f" {counts['duplicates']:,} duplicates, {counts['not usage']:,} not usage,"
            f" {counts['conflict']:,} conflicts, {counts['rejected']:,} rejected."
        )
        not_taken = sorted(run.not_taken, key=lambda one: one[1])
        for kind, refused in not_taken[:_LISTED]:
            self.stdout.write(f"  line {refused.row}: {kind}: {refused.reason}")
        if len(not_taken) > _LISTED:
            more = len(not_taken) - _LISTED
            self.stdout.write(f"  and {more:,} more; --report FILE.csv lists all of them.")
        if report is not None:
            _write_report(report, not_taken)
        if not_taken:
            raise CommandError(f"{len(not_taken):,} rows were not taken.", returncode=1)
        self.stdout.write(self.style.SUCCESS("Every row was taken."))


class Run:
    """One import: what has become of its rows so far."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress = progress
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self.not_taken: list[tuple[str, Refused]] = []

    def take_all(self, rows: Rows, file: io.TextIOWrapper) -> None:
        batch: list[Row] = []
        for row in rows:
            self.rows += 1
            if isinstance(row, NotUsage):
                self.counts["not usage"] += 1
            elif isinstance(row, Refused):
                self._refuse("rejected", [row])
            else:
                batch.append(row)
            if len(batch) == batches.MOST_EVENTS:
                self._take(batch, file)
                batch = []
        self._take(batch, file)

    def _take(self, batch: list[Row], file: io.TextIOWrapper) -> None:
        if batch:
            # A long import outlasts a month, and what comes in after its end is late (B-08).
            now = clock.now()
            # The operator imports history: only the day from which an organisation is a customer counts.
            window = Window(latest=now + settings.USAGE_AHEAD)
            report = ingest.ingest(batches.of_rows(batch), now=now, window=window)
            self.counts["accepted"] += report.accepted
            self.counts["duplicates"] += report.duplicates
            self._refuse("conflict", report.conflicts)
            self._refuse("rejected", report.rejected)
        self._progress(cast("BinaryIO", file.buffer).tell(), self.rows)

    def _refuse(self, kind: str, refused: list[Refused]) -> None:
        self.counts[kind] += len(refused)
        self.not_taken += [(kind, one) for one in refused]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is not a day like 2026-11-30") from error


def _opened(path: Path) -> io.TextIOWrapper:
    # A byte that is no UTF-8 becomes half a surrogate pair, for which its row is refused.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _reader(file_format: str) -> Callable[[TextIO], Rows]:
    if file_format == "csv":
        return files.csv_rows
    if file_format == "ndjson":
        return files.ndjson_rows
    meters = dict(Meter.objects.exclude(consumed_unit=None).values_list("consumed_unit", "code"))
    known = {unit: code for unit, code in meters.items() if unit is not None}
    return lambda file: files.focus_rows(file, known)


def _write_report(path: Path, not_taken: list[tuple[str, Refused]]) -> None:
    rows = ((one.row, kind, one.code, one.reason) for kind, one in not_taken)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(csv_lines(["line", "kind", "code", "reason"], rows, bom=True))
