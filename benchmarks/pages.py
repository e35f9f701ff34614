"""The usage page against a signed-in hello page, and a large customer's against a small one's (G9, G10).

Gunicorn as `./dev run` starts it, one client that keeps its connection; the month has a bar and a
row for each of its days and meters. The large customer has ten million events in that month.

    python -m benchmarks.pages [--events 10000000] [--rounds 7] [--requests 200]
"""

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.hello_settings"
os.environ["DB_STATEMENT_TIMEOUT_SECONDS"] = "0"
django.setup()

from django.conf import settings  # noqa: E402  # settings first
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from accounts import services as accounts  # noqa: E402
from accounts.enums import Language  # noqa: E402
from accounts.models import Organisation, User  # noqa: E402
from benchmarks import rounds  # noqa: E402
from benchmarks.rounds import Taken, at_most  # noqa: E402
from core import clock  # noqa: E402
from core.months import BillingMonth  # noqa: E402
from plans.models import Meter  # noqa: E402
from usage.services import partitions  # noqa: E402

ZONE = ZoneInfo("Asia/Tokyo")
SMALL = 10_000
METERS = 5
SINCE = datetime(2025, 1, 1, tzinfo=UTC)

CATALOGUE = """
INSERT INTO plans_vendorversion (number, name_ja, name_en, postal_code, address_ja, address_en,
    country, registration_number, time_zone, tax_rounding, currencies, support_email, support_url,
    plan_page_url, invoice_prefix, created_at)
VALUES (1, '計測', 'Bench', '1', '東京', 'Tokyo', 'JP', '', 'Asia/Tokyo', 'down', '["JPY"]',
    'support@example.com', '', '', 'B-', '2025-01-01');
INSERT INTO plans_meter (code, name_ja, name_en, unit_ja, unit_en, aggregation, position)
SELECT 'meter-' || n, '計測' || n, 'Meter ' || n, '回', 'calls', 'sum', n
FROM generate_series(1, %(meters)s) n;
INSERT INTO plans_plan (code, category, name_ja, name_en, is_free, tax_category, position)
VALUES ('starter', 'licence', 'スターター', 'Starter', false, 'standard', 1),
    ('support', 'support', 'サポート', 'Support', false, 'standard', 2);
INSERT INTO plans_planversion (plan_id, number, on_sale_from, accounts_per_step)
SELECT id, 1, '2025-01-01', CASE category WHEN 'licence' THEN 100 END FROM plans_plan;
INSERT INTO plans_planprice (version_id, currency, net)
SELECT id, 'JPY', 5000 FROM plans_planversion;
INSERT INTO plans_meterprice (version_id, meter_id, currency, included, tiers)
SELECT v.id, m.id, 'JPY', 1000, '[["10000", "0.01"], [null, "0.004"]]'
FROM plans_planversion v JOIN plans_plan p ON p.id = v.plan_id AND p.code = 'starter', plans_meter m;
"""
SELECT_PLANS = """
INSERT INTO plans_selection (organisation_id, category, plan_version_id, steps, from_at)
SELECT %(organisation)s, p.category, v.id, 1, '2025-01-01'
FROM plans_planversion v JOIN plans_plan p ON p.id = v.plan_id
"""
EVENTS = """
INSERT INTO {partition} (organisation_id, occurred_at, day, meter_id, event_id, quantity, corrects)
SELECT %(organisation)s, %(at)s::timestamptz + n * interval '1 millisecond', %(day)s,
    (%(meters)s::smallint[])[1 + n %% %(count)s], 'event-' || n, 1 + (n %% 7) * 0.25, NULL
FROM generate_series(1, %(events)s) n
"""
SUMS = """
INSERT INTO usage_dailyusage (organisation_id, day, meter_id, quantity, events)
SELECT organisation_id, day, meter_id, sum(quantity), count(*) FROM {partition}
WHERE organisation_id = %(organisation)s GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A page to ask for, and the cookie of who asks."""

    name: str
    path: str
    cookie: str


@dataclass(slots=True)
class Server:
    """A running gunicorn and the one connection to it."""

    link: http.client.HTTPConnection
    pids: Sequence[int]

    def ask(self, place: Place) -> float:
        """Return the seconds that a page took. Raises AssertionError where it was not shown."""
        begun = time.perf_counter()
        self.link.request("GET", place.path, headers={"Cookie": place.cookie, "Host": "localhost"})
        answer = self.link.getresponse()
        body = answer.read()
        taken = time.perf_counter() - begun
        assert answer.status == http.client.OK, (place.path, answer.status)
        assert b"</html>" in body
        return taken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    month = BillingMonth.containing(clock.now(), ZONE).previous
    places = _prepare(month, options.events)
    with _server() as server:
        waits, taken = _measure(server, places, options.rounds, options.requests)
    _tell(places, waits, taken, options.requests)
    hello, small, large = (place.name for place in places)
    rounds.report(
        [
            at_most("usage page to hello page, p50", _ratio(waits, small, hello, 50), 2.0),
            at_most("usage page to hello page, p99", _ratio(waits, small, hello, 99), 2.0),
            at_most(
                "ten million events to ten thousand, p50", _ratio(waits, large, small, 50), 1.2
            ),
        ]
    )
    return 0


def _prepare(month: BillingMonth, events: int) -> list[Place]:
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE, {"meters": METERS})
    with transaction.atomic():
        partitions.create(month.days())
    meters = list(Meter.objects.order_by("pk").values_list("pk", flat=True))
    small, user = _customer("small")
    large, other = _customer("large")
    begun = time.perf_counter()
    for organisation, count in ((small, SMALL), (large, events)):
        for number, day in enumerate(month.days(), start=1):
            _fill(organisation, day, count // len(month.days()), meters)
            if organisation is large:
                print(f"\r{number} of {len(month.days())} days filled", end="", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("CHECKPOINT")
    print(f"\r{SMALL:,} and {events:,} events in {time.perf_counter() - begun:.0f} s")
    return [
        Place("hello page", "/hello/", _cookie(user)),
        Place(f"usage page, {SMALL:,} events", _usage(small, month), _cookie(user)),
        Place(f"usage page, {events:,} events", _usage(large, month), _cookie(other)),
    ]


def _customer(name: str) -> tuple[Organisation, User]:
    organisation = accounts.create_organisation(
        accounts.NewOrganisation(
            reference=name,
            name=name,
            country="JP",
            currency="JPY",
            language=Language.EN,
            customer_since=date(2025, 1, 1),
        ),
        actor="system:benchmark",
        now=SINCE,
    )
    root = accounts.register(
        organisation_id=organisation.pk,
        email=f"{name}@example.com",
        name=name,
        actor="system:benchmark",
        now=SINCE,
    )
    with connection.cursor() as cursor:
        cursor.execute(SELECT_PLANS, {"organisation": organisation.pk})
    return organisation, root.user


def _fill(organisation: Organisation, day: date, events: int, meters: Sequence[int]) -> None:
    partition = partitions.name_of(day)
    named: dict[str, int | str | date | list[int]] = {
        "organisation": organisation.pk,
        "day": day,
        "at": f"{day.isoformat()} 00:00:00+09",
        "meters": list(meters),
        "count": len(meters),
        "events": events,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EVENTS.format(partition=partition), named)
        cursor.execute(SUMS.format(partition=partition), named)


def _usage(organisation: Organisation, month: BillingMonth) -> str:
    return f"{reverse('usage', kwargs={'organisation': organisation.public_id})}?date={month}"


def _cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


@contextmanager
def _server() -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    call += ["--worker-class", "gthread", "--workers", "2", "--threads", "4"]
    with tempfile.TemporaryFile() as log:
        gunicorn = subprocess.Popen([*call, "billing_portal.wsgi"], stdout=log, stderr=log)
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            _await(link)
            yield Server(link, [gunicorn.pid, *_children(gunicorn.pid)])
        finally:
            gunicorn.terminate()
            gunicorn.wait()


def _await(link: http.client.HTTPConnection) -> None:
    for _attempt in range(100):
        try:
            link.connect()
        except ConnectionRefusedError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError("gunicorn did not come up")


def _children(pid: int) -> list[int]:
    time.sleep(2)
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _measure(
    server: Server, places: Sequence[Place], count: int, requests: int
) -> tuple[dict[str, list[list[float]]], dict[str, list[Taken]]]:
    """Return each page's waits by round, and what each round took."""
    waits: dict[str, list[list[float]]] = {place.name: [] for place in places}
    taken: dict[str, list[Taken]] = {place.name: [] for place in places}
    for place in places:
        for _request in range(50):
            server.ask(place)
    for number in range(count):
        turn = number % len(places)
        for place in [*places[turn:], *places[:turn]]:
            series: list[float] = []
            taken[place.name].append(
                rounds.measure(
                    lambda place=place, series=series: series.extend(  # type: ignore[misc]  # bound here
                        server.ask(place) for _request in range(requests)
                    ),
                    server.pids,
                )
            )
            waits[place.name].append(series)
    return waits, taken


def _percentile(series: Sequence[float], percent: int) -> float:
    return statistics.quantiles(series, n=100, method="inclusive")[percent - 1]


def _ratio(
    waits: Mapping[str, Sequence[Sequence[float]]], product: str, floor: str, percent: int
) -> float:
    return statistics.median(
        _percentile(ours, percent) / _percentile(theirs, percent)
        for ours, theirs in zip(waits[product], waits[floor], strict=True)
    )


def _tell(
    places: Sequence[Place],
    waits: Mapping[str, Sequence[Sequence[float]]],
    taken: Mapping[str, Sequence[Taken]],
    requests: int,
) -> None:
    print(f"{'':34} {'p50 ms':>8} {'p99 ms':>8} {'web CPU ms':>11} {'× CPU':>7}")
    floor = places[0].name
    for place in places:
        p50, p99 = (
            statistics.median(_percentile(series, percent) for series in waits[place.name]) * 1e3
            for percent in (50, 99)
        )
        cpu = statistics.median(run.server for run in taken[place.name]) / requests * 1e3
        ratio = statistics.median(
            ours.server / max(theirs.server, 1e-9)
            for ours, theirs in zip(taken[place.name], taken[floor], strict=True)
        )
        print(f"{place.name:34} {p50:8.2f} {p99:8.2f} {cpu:11.2f} {ratio:7.2f}")


if __name__ == "__main__":
    sys.exit(main())
