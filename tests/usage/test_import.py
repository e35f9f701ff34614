import csv
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import services as accounts
from accounts.models import Organisation
from core import clock
from plans.models import Meter, Selection
from tests import make
from tests.usage import books
from usage.management.commands.import_usage import Run
from usage.models import DailyUsage, UsageEvent, UsageRevision
from usage.services import batches
from usage.services.batches import Row

HEADER = "organisation,event_id,meter,occurred_at,quantity,corrects\n"
FOCUS_SAMPLE = settings.BASE_DIR.parent / "shared" / "data" / "focus_sample_1_0.csv"
FOCUS_HEADER = (
    "Id,ChargeCategory,ChargePeriodStart,ConsumedQuantity,ConsumedUnit,"
    "SubAccountId,SubAccountName\n"
)


def run(path: Path, file_format: str, *options: str) -> tuple[str, str | None]:
    """Return what an import printed, and what it failed with."""
    out = StringIO()
    failed = None
    with clock.fixed_at(books.NOW):
        try:
            call_command("import_usage", str(path), "--format", file_format, *options, stdout=out)
        except CommandError as error:
            failed = f"{error.returncode}: {error}"
    return out.getvalue(), failed


@pytest.fixture
def _aoba(db: None) -> None:
    make.vendor()
    make.organisation(reference="aoba", customer_since=date(2020, 1, 1))
    make.meter("api_calls")


@pytest.mark.usefixtures("_aoba")
def test_a_csv_file_is_imported_and_again_without_effect(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text(
        "\ufeff" + HEADER + "aoba,a,api_calls,2020-01-01T00:00:00+09:00,1.5,\n"
        '"aoba","b","api_calls","2026-11-20 10:00:00Z","2",""\n'
    )

    outputs = [run(path, "csv"), run(path, "csv")]

    assert [failed for _, failed in outputs] == [None, None]
    assert [out.splitlines() for out, _ in outputs] == [
        [
            "2 rows: 2 accepted, 0 duplicates, 0 not usage, 0 conflicts, 0 rejected.",
            "Every row was taken.",
        ],
        [
            "2 rows: 0 accepted, 2 duplicates, 0 not usage, 0 conflicts, 0 rejected.",
            "Every row was taken.",
        ],
    ]


@pytest.mark.usefixtures("_aoba")
def test_an_import_lists_what_it_did_not_take_by_line(tmp_path: Path) -> None:
    path, report = tmp_path / "usage.csv", tmp_path / "report.csv"
    path.write_bytes(
        HEADER.encode()
        + b"aoba,a,api_calls,2026-11-20T10:00:00Z,1,\n"
        + b"aoba,a,api_calls,2026-11-20T10:00:00Z,2,\n"
        + b"aoba,b,api_calls,2026-11-20T10:00:00Z\n"
        + b"aoba,c\xff,api_calls,2026-11-20T10:00:00Z,1,\n"
        + b'aoba,"d",=cmd(),2026-11-20T10:00:00Z,1,\n'
    )

    out, failed = run(path, "csv", "--report", str(report))

    assert failed == "1: 4 rows were not taken."
    assert out.splitlines() == [
        "5 rows: 1 accepted, 0 duplicates, 0 not usage, 1 conflicts, 3 rejected.",
        "  line 3: conflict: The event comes twice in this batch, with another quantity.",
        "  line 4: rejected: This line has too few or too many fields.",
        "  line 5: rejected: The field 'event_id' holds characters that are no text.",
        "  line 6: rejected: There is no meter '=cmd()'.",
    ]
    with report.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["kind"], row["code"]) for row in rows] == [
        ("3", "conflict", "another_body_in_batch"),
        ("4", "rejected", "row_cut"),
        ("5", "rejected", "text_wrong"),
        ("6", "rejected", "meter_unknown"),
    ]


@pytest.mark.usefixtures("_aoba")
def test_an_ndjson_file_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "usage.ndjson"
    path.write_text(
        '{"organisation": "aoba", "event_id": "a", "meter": "api_calls",'
        ' "occurred_at": "2026-11-20T10:00:00Z", "quantity": 0.123456789012345}\n\n{"quantity": \n'
    )

    out, failed = run(path, "ndjson")

    assert failed == "1: 1 rows were not taken."
    assert "line 3: rejected: This is not JSON: Expecting value" in out
    assert DailyUsage.objects.get().quantity == Decimal("0.123456789012345")


def test_a_file_of_another_format_is_refused(db: None, tmp_path: Path) -> None:
    make.vendor()
    path = tmp_path / "usage.csv"
    path.write_text("organisation,event\n")

    with pytest.raises(CommandError, match="line 1: the header has no column event_id, meter"):
        call_command("import_usage", str(path), "--format", "csv")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_usage", str(tmp_path / "none"), "--format", "csv")


def test_a_focus_file_brings_its_organisations(db: None, tmp_path: Path) -> None:
    make.vendor()
    version = make.plan_version("focus")
    meter = make.meter("requests")
    meter.consumed_unit = "Requests"
    meter.save()
    path = tmp_path / "focus.csv"
    path.write_text(
        FOCUS_HEADER + "1,Usage,2024-09-30 15:00:00,2.000000000000001,Requests,77,Atlas\n"
        "2,Usage,2024-09-30T14:59:59Z,3,Requests,of-another-provider,Atlas\n"
        "3,Credit,2024-09-01 00:00:00,3,Requests,77,Atlas\n"
        "4,Usage,2024-09-01 00:00:00,NULL,Requests,77,Atlas\n"
        "5,Usage,2024-09-01 00:00:00,1,Parsecs,78,NULL\n"
    )
    options = ["--create-organisations", "--licence", "focus", "--since", "2024-08-01"]

    out, failed = run(path, "focus", *options)

    assert failed == "1: 1 rows were not taken."
    assert out.splitlines() == [
        "2 organisations created, 0 were there.",
        "5 rows: 2 accepted, 0 duplicates, 2 not usage, 0 conflicts, 1 rejected.",
        "  line 6: rejected: No meter of the catalogue takes in the consumed unit 'Parsecs'.",
    ]
    atlas = Organisation.objects.get(reference="Atlas")
    assert Organisation.objects.filter(reference="78").exists()
    assert (atlas.name, atlas.customer_since) == ("Atlas", date(2024, 8, 1))
    selected = Selection.objects.get(organisation=atlas)
    assert (selected.plan_version_id, selected.from_at) == (
        version.pk,
        datetime(2024, 7, 31, 15, 0, tzinfo=UTC),
    )
    assert {kept.day: kept.quantity for kept in DailyUsage.objects.all()} == {
        date(2024, 9, 30): Decimal(3),
        date(2024, 10, 1): Decimal("2.000000000000001"),
    }

    assert run(path, "focus", *options)[0].startswith("0 organisations created, 2 were there.\n")


def test_organisations_are_created_with_a_plan_that_is_sold(db: None, tmp_path: Path) -> None:
    make.vendor()
    path = tmp_path / "focus.csv"
    path.write_text(FOCUS_HEADER + "1,Usage,2024-09-30 15:00:00,2,Requests,77,Atlas\n")

    with pytest.raises(CommandError, match="No version of plan none is on sale on 2024-08-01"):
        call_command(
            *["import_usage", str(path), "--format", "focus", "--create-organisations"],
            *["--licence", "none", "--since", "2024-08-01"],
        )
    with pytest.raises(CommandError, match="--create-organisations goes with --format focus"):
        call_command("import_usage", str(path), "--format", "focus", "--create-organisations")
    assert not Organisation.objects.exists()


def test_the_days_of_the_focus_sample_equal_a_sum_over_the_file(db: None) -> None:
    if not FOCUS_SAMPLE.exists():
        pytest.skip(f"{FOCUS_SAMPLE} is not here: the first real input is not in the repository")
    make.vendor(time_zone="Asia/Tokyo")
    make.plan_version("focus")
    with FOCUS_SAMPLE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, unit in enumerate(sorted({row["ConsumedUnit"] for row in rows} - {"NULL"})):
        meter = make.meter(f"meter-{number}")
        meter.consumed_unit = unit
        meter.save()

    expected: dict[tuple[str, date, str], Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["ChargeCategory"] == "Usage" and row["ConsumedQuantity"] != "NULL":
            at = datetime.fromisoformat(row["ChargePeriodStart"]).replace(tzinfo=UTC)
            day = at.astimezone(ZoneInfo("Asia/Tokyo")).date()
            expected[row["SubAccountName"], day, row["ConsumedUnit"]] += Decimal(
                row["ConsumedQuantity"]
            )

    out, failed = run(
        FOCUS_SAMPLE,
        "focus",
        *["--create-organisations", "--licence", "focus", "--since", "2024-08-01"],
    )

    units = dict(Meter.objects.values_list("pk", "consumed_unit"))
    kept = {
        (day.organisation.reference, day.day, units[day.meter_id]): day.quantity
        for day in DailyUsage.objects.select_related("organisation")
    }
    assert failed is None, out
    assert "1,000 rows: 997 accepted, 0 duplicates, 3 not usage" in out
    assert kept == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_aoba")
def test_an_import_that_is_killed_is_started_again(tmp_path: Path) -> None:
    rows = 60_000
    start = datetime(2026, 11, 1, tzinfo=UTC)
    path = tmp_path / "usage.csv"
    path.write_text(
        HEADER
        + "".join(
            f"aoba,e{n},api_calls,{start + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ},0.{n + 1},\n"
            for n in range(rows)
        )
    )
    database = connection.settings_dict
    url = (
        f"postgresql://{database['USER']}:{database['PASSWORD']}"
        f"@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    call = [
        *[sys.executable, str(settings.BASE_DIR / "manage.py")],
        *["import_usage", str(path), "--format", "csv"],
    ]

    process = subprocess.Popen(
        call,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with psycopg.connect(url, autocommit=True) as watcher:
        # Killed with some batches in and some not: as soon as the first is seen.
        while process.poll() is None:
            seen = watcher.execute("SELECT count(*) FROM usage_event").fetchone()
            if seen is not None and seen[0]:
                process.send_signal(signal.SIGKILL)
                break
    process.wait(60)
    stored = UsageEvent.objects.count()

    assert process.returncode == -signal.SIGKILL
    assert 0 < stored < rows
    assert stored % 10_000 == 0
    assert books.days() == books.days_from_events()

    out, failed = run(path, "csv")

    assert failed is None, out
    assert UsageEvent.objects.count() == rows
    assert books.days() == books.days_from_events()
    assert sum(day[0] for day in books.days().values()) == sum(
        Decimal(f"0.{n + 1}") for n in range(rows)
    )


@pytest.mark.usefixtures("_aoba")
def test_an_import_that_outlasts_the_month_notes_what_came_in_after_its_end(tmp_path: Path) -> None:
    """Else the month end, which passes meanwhile, bills it never. Rule: B-08."""
    file = tmp_path / "empty"
    file.touch()

    def event(number: int) -> Row:
        return books.row(number, event_id=f"e{number}", occurred_at="2026-10-31T10:00:00Z")

    def rows(until: ExitStack) -> Iterator[Row]:
        yield from (event(number) for number in range(batches.MOST_EVENTS))
        assert not UsageRevision.objects.exists()
        until.enter_context(clock.fixed_at(datetime(2026, 11, 1, 7, tzinfo=books.TOKYO)))
        yield event(batches.MOST_EVENTS)

    with ExitStack() as until, file.open(encoding="utf-8") as nothing:
        until.enter_context(clock.fixed_at(datetime(2026, 10, 31, 23, tzinfo=books.TOKYO)))
        Run(lambda *_: None).take_all(rows(until), nothing)

    assert UsageRevision.objects.get().month == date(2026, 10, 1)


def test_an_import_leaves_invoicing_off_where_staff_have_switched_it_off(
    db: None, tmp_path: Path
) -> None:
    """Rule: R11. A file that names their customer is no reason to bill it."""
    make.vendor()
    make.plan_version("focus")
    meter = make.meter("requests")
    Meter.objects.filter(pk=meter.pk).update(consumed_unit="Requests")
    theirs = make.organisation(reference="Atlas")
    accounts.switch_auto_invoicing(
        organisation_id=theirs.pk, is_off=True, actor="user:1", reason="a dispute", now=make.NOW
    )
    path = tmp_path / "focus.csv"
    path.write_text(
        FOCUS_HEADER + "1,Usage,2026-09-01 00:00:00,3,Requests,77,Atlas\n"
        "2,Usage,2026-09-01 00:00:00,3,Requests,78,Boreas\n"
    )

    out, failed = run(
        path, "focus", "--create-organisations", "--licence", "focus", "--since", "2024-08-01"
    )

    assert failed is None, out
    off = {one.reference: one.auto_invoicing_off for one in Organisation.objects.all()}
    assert off == {"Atlas": True, "Boreas": False}
