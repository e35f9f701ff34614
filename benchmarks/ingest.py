"""Events taken, checked, stored once and summed up by day, against raw COPY of the same rows.

The floor copies ready rows into a plain table with the same unique index. The product is given its
input as it arrives, as lines of text or as the body of a request, and does everything else too.

    python -m benchmarks.ingest [--events 200000] [--rounds 5] [--stored 10000000] [--only G1 G2]
"""

import argparse
import gc
import json
import os
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
os.environ["DB_STATEMENT_TIMEOUT_SECONDS"] = "0"
django.setup()

from django.core.management import call_command  # noqa: E402  # settings first
from django.db import connection, transaction  # noqa: E402

from accounts.models import Organisation  # noqa: E402
from benchmarks import rounds  # noqa: E402
from benchmarks.rounds import Goal, Variant, at_least  # noqa: E402
from plans.models import Meter, VendorVersion  # noqa: E402
from usage.forms import bodies  # noqa: E402
from usage.services import ingest, partitions  # noqa: E402
from usage.services.batches import Batch  # noqa: E402
from usage.services.staging import Window  # noqa: E402

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
WINDOW = Window(latest=NOW + timedelta(days=1), oldest=NOW - timedelta(days=400))
ORGANISATIONS = 2_000
METERS = [
    ("calls", "sum"),
    ("messages", "sum"),
    ("bytes", "sum"),
    ("hours", "sum"),
    ("devices", "max"),
]
DAYS_STORED = 90
FULL = "ingest_full"


@dataclass(frozen=True, slots=True)
class Event:
    organisation: int  # counted from 0
    event_id: str
    meter: int
    occurred_at: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Input:
    """The same events three times, each list a batch: typed for the floor, as text, as bodies."""

    floor: list[bytes]
    text: list[Batch]
    body: list[bytes]
    organisation_ids: list[int | None]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how fast usage comes in.")
    parser.add_argument("--events", type=int, default=200_000, help="events a variant")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stored", type=int, default=10_000_000, help="events there before (G3)")
    parser.add_argument("--only", nargs="+", default=["G1", "G4", "G2", "G3"], metavar="GOAL")
    options = parser.parse_args()
    if Organisation.objects.exists():
        raise SystemExit("This database holds data. Give the benchmark one of its own.")

    goals: list[Goal] = []
    _prepare()
    events = _events(options.events)
    mixed = _input(events, 10_000)
    # Else each collection goes through all of the input, which no web process or worker holds.
    gc.freeze()
    if "G1" in options.only:
        goals += _against_floor("G1", mixed, options, goal=0.6)
    if "G4" in options.only:
        single = _input(_by_organisation(events, 1_000), 1_000, bound=True)
        goals += _against_floor("G4", single, options, goal=0.5)
    if "G2" in options.only:
        goals += _again(mixed, options)
    if "G3" in options.only:
        goals += _more_data(mixed, options)
    rounds.report(goals)


def _prepare() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE floor (organisation_id bigint NOT NULL, occurred_at timestamptz NOT NULL,"
            " day date NOT NULL, meter_id smallint NOT NULL,"
            ' event_id varchar(64) COLLATE "C" NOT NULL, quantity numeric(30, 15) NOT NULL,'
            ' corrects varchar(64) COLLATE "C", UNIQUE (organisation_id, event_id, day))'
        )
    _prepare_product()


def _prepare_product() -> None:
    VendorVersion.objects.create(
        number=1,
        name_ja="計測",
        name_en="Bench",
        postal_code="1",
        address_ja="東京",
        address_en="Tokyo",
        country="JP",
        time_zone="Asia/Tokyo",
        tax_rounding="down",
        currencies=["JPY"],
        support_email="support@example.com",
        invoice_prefix="B-",
        created_at=NOW,
    )
    for position, (code, aggregation) in enumerate(METERS, 1):
        Meter.objects.create(
            code=code, name_ja=code, name_en=code, aggregation=aggregation, position=position
        )
    Organisation.objects.bulk_create(
        Organisation(
            reference=f"customer-{number}",
            name=f"Customer {number}",
            billing_name=f"Customer {number}",
            country="JP",
            currency="JPY",
            customer_since=date(2025, 1, 1),
            created_at=NOW,
        )
        for number in range(ORGANISATIONS)
    )
    partitions.create([TODAY])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_organisation, plans_meter")


def _events(count: int) -> list[Event]:
    chance = random.Random(20261122)
    start = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)  # midnight in Tokyo
    return [
        Event(
            chance.randrange(ORGANISATIONS),
            str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            chance.randrange(len(METERS)),
            f"{start + timedelta(microseconds=chance.randrange(75_600_000_000)):%Y-%m-%dT%H:%M:%S.%fZ}",
            f"{chance.randrange(1, 10_000_000) / 1000:.3f}",
        )
        for _ in range(count)
    ]


def _by_organisation(events: Sequence[Event], size: int) -> list[Event]:
    """Return the events with each batch of `size` from one organisation."""
    return [
        Event(
            number // size % ORGANISATIONS, one.event_id, one.meter, one.occurred_at, one.quantity
        )
        for number, one in enumerate(events)
    ]


def _input(events: Sequence[Event], size: int, *, bound: bool = False) -> Input:
    first_organisation = Organisation.objects.order_by("pk").values_list("pk", flat=True)[0]
    first_meter = Meter.objects.order_by("pk").values_list("pk", flat=True)[0]
    made = Input([], [], [], [])
    for start in range(0, len(events), size):
        part = events[start : start + size]
        made.floor.append(
            "".join(
                f"{first_organisation + one.organisation}\t{one.occurred_at}\t{TODAY}"
                f"\t{first_meter + one.meter}\t{one.event_id}\t{one.quantity}\t\\N\n"
                for one in part
            ).encode()
        )
        made.text.append(
            Batch(
                "".join(
                    f"{row}\tcustomer-{one.organisation}\t{one.event_id}\t{METERS[one.meter][0]}"
                    f"\t{one.occurred_at}\t{one.quantity}\t\\N\n"
                    for row, one in enumerate(part, 1)
                ).encode(),
                canonical=True,
            )
        )
        made.body.append(_body(part, bound=bound))
        made.organisation_ids.append(first_organisation + part[0].organisation if bound else None)
    return made


def _against_floor(
    name: str, given: Input, options: argparse.Namespace, *, goal: float
) -> list[Goal]:
    size = options.events // len(given.floor)
    floor = Variant("raw COPY", run=lambda _: _copy(given.floor), prepare=lambda _: _empty())
    as_text = Variant(
        "ingest, lines of text",
        run=lambda _: _ingest(given.text, given.organisation_ids),
        prepare=lambda _: _empty(),
        check=lambda _: _check(options.events),
    )
    as_body = Variant(
        "ingest, JSON bodies",
        run=lambda _: _ingest(given.body, given.organisation_ids),
        prepare=lambda _: _empty(),
        check=lambda _: _check(options.events),
    )
    print(f"\n{name}: new events, batches of {size}")
    taken = _interleaved([floor, as_text, as_body], options)
    return [
        at_least(
            f"{name}, {variant.name}, batches of {size}",
            rounds.speed(taken, variant.name, floor.name),
            goal,
        )
        for variant in (as_text, as_body)
    ]


def _again(given: Input, options: argparse.Namespace) -> list[Goal]:
    """Send every batch a second time, and batches of which 1 % was sent before."""

    def stored(_: int) -> None:
        _empty()
        _ingest(given.text, given.organisation_ids)

    def stored_in_part(_: int) -> None:
        _empty()
        for batch, organisation_id in zip(given.text, given.organisation_ids, strict=True):
            lines = batch.text.splitlines(keepends=True)
            part = replace(batch, given=b"".join(lines[::100]))
            ingest.ingest(part, now=NOW, window=WINDOW, organisation_id=organisation_id)

    floor = Variant("raw COPY", run=lambda _: _copy(given.floor), prepare=lambda _: _empty())
    resent = Variant(
        "re-sent, lines of text",
        run=lambda _: _ingest(given.text, given.organisation_ids, accepted=0),
        prepare=stored,
        check=lambda _: _check(options.events),
    )
    resent_body = Variant(
        "re-sent, JSON bodies",
        run=lambda _: _ingest(given.body, given.organisation_ids, accepted=0),
        prepare=stored,
        check=lambda _: _check(options.events),
    )
    one_percent = Variant(
        "1 % sent before, lines of text",
        run=lambda _: _ingest(given.text, given.organisation_ids),
        prepare=stored_in_part,
        check=lambda _: _check(options.events),
    )
    print("\nG2: events that were sent before, batches of 10,000")
    taken = _interleaved([floor, resent, resent_body, one_percent], options)
    return [
        at_least("G2 text, all sent before", rounds.speed(taken, resent.name, floor.name), 0.8),
        at_least(
            "G2 JSON, all sent before", rounds.speed(taken, resent_body.name, floor.name), 0.8
        ),
        at_least(
            "G2 text, 1 % sent before", rounds.speed(taken, one_percent.name, floor.name), 0.5
        ),
    ]


def _more_data(given: Input, options: argparse.Namespace) -> list[Goal]:
    empty = connection.settings_dict["NAME"]
    _fill(options.stored)
    variants = [
        Variant(
            f"{options.stored if is_full else 0:,} stored"
            f"{', after a CHECKPOINT' if after_checkpoint else ''}",
            run=lambda _: _ingest(given.text, given.organisation_ids),
            prepare=_prepare_in(FULL if is_full else empty, checkpoint=after_checkpoint),
            check=lambda _: _check(options.events),
        )
        for is_full in (False, True)
        for after_checkpoint in (False, True)
    ]
    print("\nG3: the same with more data, batches of 10,000")
    taken = _interleaved(variants, options)
    names = [variant.name for variant in variants]
    _switch(empty)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {FULL}")
    return [
        at_least("G3 more data", rounds.speed(taken, names[2], names[0]), 0.85),
        at_least("G3 more data, after a CHECKPOINT", rounds.speed(taken, names[3], names[1]), 0.85),
    ]


def _prepare_in(database: str, *, checkpoint: bool) -> Callable[[int], None]:
    def prepare(_: int) -> None:
        _switch(database)
        _empty()
        if checkpoint:
            with connection.cursor() as cursor:
                cursor.execute("CHECKPOINT")

    return prepare


def _fill(count: int) -> None:
    """Have a second database that holds so many events of the days before, and their sums."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {FULL}")
        cursor.execute(f"CREATE DATABASE {FULL}")
    _switch(FULL)
    call_command("migrate", verbosity=0)
    _prepare_product()
    days = [TODAY - timedelta(days=back) for back in range(1, DAYS_STORED + 1)]
    partitions.create(days)
    first_organisation = Organisation.objects.order_by("pk").values_list("pk", flat=True)[0]
    first_meter = Meter.objects.order_by("pk").values_list("pk", flat=True)[0]
    with connection.cursor() as cursor:
        for day in days:
            cursor.execute(
                "INSERT INTO usage_event SELECT %s + floor(random() * %s)::int,"
                " %s + random() * interval '23 hours', %s, %s + floor(random() * %s)::int,"
                " gen_random_uuid()::text, round((random() * 10000)::numeric, 3), NULL"
                " FROM generate_series(1, %s)",
                [
                    first_organisation,
                    ORGANISATIONS,
                    datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=9),
                    day,
                    first_meter,
                    len(METERS),
                    count // DAYS_STORED,
                ],
            )
            cursor.execute(
                "INSERT INTO usage_dailyusage (organisation_id, day, meter_id, quantity, events)"
                " SELECT organisation_id, day, meter_id, sum(quantity), count(*) FROM usage_event"
                " WHERE day = %s GROUP BY 1, 2, 3",
                [day],
            )
        cursor.execute("VACUUM ANALYZE usage_event, usage_dailyusage")


def _interleaved(
    variants: Sequence[Variant], options: argparse.Namespace
) -> dict[str, list[rounds.Taken]]:
    return rounds.interleaved(
        variants, rounds=options.rounds, rows=options.events, backends=_backends, unit="events"
    )


def _backends() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return [cursor.fetchone()[0]]


def _switch(database: str) -> None:
    if connection.settings_dict["NAME"] != database:
        connection.close()
        connection.settings_dict["NAME"] = database


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usage_dailyusage WHERE day = %s", [TODAY])
        cursor.execute(f"TRUNCATE {partitions.name_of(TODAY)}")
        cursor.execute("VACUUM usage_dailyusage")
        cursor.execute("SELECT to_regclass('floor') IS NOT NULL")
        if cursor.fetchone() == (True,):
            cursor.execute("TRUNCATE floor")


def _copy(parts: Sequence[bytes]) -> None:
    for part in parts:
        with (
            transaction.atomic(),
            connection.cursor() as cursor,
            cursor.copy("COPY floor FROM STDIN") as copy,
        ):
            copy.write(part)


def _ingest(
    parts: Sequence[Batch | bytes],
    organisation_ids: Sequence[int | None],
    accepted: int | None = None,
) -> None:
    for part, organisation_id in zip(parts, organisation_ids, strict=True):
        batch = bodies.events(part, lines=False).batch if isinstance(part, bytes) else part
        report = ingest.ingest(batch, now=NOW, window=WINDOW, organisation_id=organisation_id)
        assert not report.conflicts, report.conflicts[:3]
        assert not report.rejected, report.rejected[:3]
        assert accepted is None or report.accepted == accepted, report


def _check(events: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM usage_event WHERE day = %(day)s),"
            " (SELECT sum(events) FROM usage_dailyusage WHERE day = %(day)s)",
            {"day": TODAY},
        )
        assert cursor.fetchone() == (events, events)


def _body(events: Sequence[Event], *, bound: bool) -> bytes:
    rows = [
        ({} if bound else {"organisation": f"customer-{one.organisation}"})
        | {
            "event_id": one.event_id,
            "meter": METERS[one.meter][0],
            "occurred_at": one.occurred_at,
            "quantity": float(one.quantity),
        }
        for one in events
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
