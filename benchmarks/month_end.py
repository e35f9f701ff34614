"""The month end of many organisations against one raw INSERT … SELECT of the same rows.

The floor copies ready rows of every table that the product writes, into the same tables with the
same keys and triggers. The product finds who is due, loads, rates, seals, numbers and stores.

    python -m benchmarks.month_end [--organisations 100000] [--rounds 5]
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")
os.environ["DB_STATEMENT_TIMEOUT_SECONDS"] = "0"
django.setup()

from django.conf import settings  # noqa: E402  # settings first
from django.db import connection, transaction  # noqa: E402

from accounts.models import Organisation  # noqa: E402
from benchmarks import rounds  # noqa: E402
from benchmarks.rounds import Taken, Variant, at_most, slowness  # noqa: E402
from billing import tasks  # noqa: E402
from billing.models import Invoice, NumberSeries  # noqa: E402
from billing.services import issue, runs  # noqa: E402
from core import clock, work  # noqa: E402
from core.months import BillingMonth  # noqa: E402

MONTH = BillingMonth(2026, 10)
NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
# In the order in which the product writes them: lines before the invoice that seals them.
WRITTEN = (
    "billing_invoiceline",
    "billing_taxsummary",
    "billing_billedmonth",
    "core_auditentry",
    "core_work",
    "billing_invoice",
    "billing_numberseries",
)
EMPTIED = (*WRITTEN, "billing_invoicedocument", "billing_monthrun")

PREPARE = """
INSERT INTO plans_vendorversion (number, name_ja, name_en, postal_code, address_ja, address_en,
    country, registration_number, time_zone, tax_rounding, currencies, support_email, support_url,
    plan_page_url, invoice_prefix, created_at)
VALUES (1, '計測', 'Bench', '1', '東京', 'Tokyo', 'JP', '', 'Asia/Tokyo', 'down', '["JPY"]',
    'support@example.com', '', '', 'B-', '2025-01-01');
INSERT INTO plans_meter (code, name_ja, name_en, unit_ja, unit_en, aggregation, position)
VALUES ('api_calls', 'API呼び出し', 'API calls', '回', 'calls', 'sum', 1);
INSERT INTO plans_plan (code, category, name_ja, name_en, is_free, tax_category, position)
VALUES ('starter', 'licence', 'スターター', 'Starter', false, 'standard', 1),
    ('support', 'support', 'サポート', 'Support', false, 'standard', 2);
INSERT INTO plans_planversion (plan_id, number, on_sale_from, accounts_per_step)
SELECT id, 1, '2025-01-01', CASE category WHEN 'licence' THEN 100 END FROM plans_plan;
INSERT INTO plans_planprice (version_id, currency, net)
SELECT id, 'JPY', 5000 FROM plans_planversion;
INSERT INTO plans_meterprice (version_id, meter_id, currency, included, tiers)
SELECT v.id, m.id, 'JPY', 100000, '[["10000", "0.01"], [null, "0.004"]]'
FROM plans_planversion v JOIN plans_plan p ON p.id = v.plan_id AND p.code = 'starter', plans_meter m;
INSERT INTO accounts_organisation (public_id, reference, name, billing_name, billing_postal_code,
    billing_address, country, currency, language, payment_terms, customer_since, created_at)
SELECT gen_random_uuid(), 'customer-' || n, 'Customer ' || n, '株式会社お客様' || n, '980-0811',
    '宮城県仙台市青葉区一番町1-2-3', 'JP', 'JPY', 'ja', 'paypal', '2026-10-01', '2026-09-20'
FROM generate_series(1, %(count)s) n;
INSERT INTO plans_selection (organisation_id, category, plan_version_id, steps, from_at)
SELECT o.id, p.category, v.id, 1, '2026-09-20'
FROM accounts_organisation o, plans_planversion v JOIN plans_plan p ON p.id = v.plan_id;
INSERT INTO usage_dailyusage (organisation_id, day, meter_id, quantity, events)
SELECT o.id, d::date, m.id, 3000 + o.id %% 1000 + 0.25, 10
FROM accounts_organisation o, generate_series('2026-10-01'::timestamp, '2026-10-30', '1 day') d,
    plans_meter m ORDER BY o.id, d;
CREATE TABLE ready_audit AS
SELECT o.id AS chain, 1::bigint AS seq, o.created_at AS at, 'system:import'::text AS actor,
    'organisation.created'::text AS action, 'organisation:' || o.id AS subject, '{}'::jsonb AS details,
    sha256('') AS prev, sha256(o.id::text::bytea) AS digest
FROM accounts_organisation o;
"""


@dataclass(slots=True)
class Again:
    """What second runs over a billed month took, round by round."""

    taken: list[Taken] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the month end.")
    parser.add_argument("--organisations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work_on_demand()
        return
    if Organisation.objects.exists():
        raise SystemExit("This database holds data. Give the benchmark one of its own.")
    _prepare(options.organisations)
    _bill()
    _check(options.organisations)
    _keep_ready_rows()
    workers = [_Worker(), _Worker()]
    again = Again()
    try:
        taken = rounds.interleaved(
            [
                Variant("INSERT … SELECT", run=lambda _: _floor(), prepare=lambda _: _empty()),
                Variant(
                    "month end, one process",
                    run=lambda _: _bill(),
                    prepare=lambda _: _empty(),
                    check=lambda _: _bill_again(options.organisations, again),
                ),
                Variant(
                    "month end, two workers",
                    run=lambda _: _bill_with(workers),
                    prepare=lambda _: _empty(),
                    check=lambda _: _check(options.organisations),
                ),
            ],
            rounds=options.rounds,
            rows=options.organisations,
            backends=lambda: [_backend(), *(worker.backend for worker in workers)],
            unit="invoices",
        )
    finally:
        for worker in workers:
            worker.stop()
    taken["second run"] = again.taken
    rounds.print_table(taken, rows=options.organisations, unit="invoices", floor="INSERT … SELECT")
    floor = "INSERT … SELECT"
    rounds.report(
        [
            at_most("G5 one process", slowness(taken, "month end, one process", floor), 1.8),
            at_most("G5 two workers", slowness(taken, "month end, two workers", floor), 1.1),
            at_most("G6 second run", slowness(taken, "second run", floor), 0.25),
        ]
    )


def _prepare(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PREPARE, {"count": count})
    _empty()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _empty() -> None:
    """Empty what a month end writes; triggers rest while it is emptied, and only then."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"TRUNCATE {', '.join(EMPTIED)}")
        cursor.execute("SET session_replication_role = origin")
        cursor.execute(
            "INSERT INTO core_auditentry (chain, seq, at, actor, action, subject, details, prev, digest)"
            " SELECT * FROM ready_audit"
        )
        cursor.execute("VACUUM (ANALYZE) accounts_organisation, core_auditentry")
        cursor.execute("CHECKPOINT")


def _keep_ready_rows() -> None:
    with connection.cursor() as cursor:
        for table in WRITTEN:
            only = " WHERE seq > 1" if table == "core_auditentry" else ""
            cursor.execute(f"CREATE TABLE ready_{table} AS SELECT * FROM {table}{only}")
            cursor.execute(f"ANALYZE ready_{table}")


def _floor() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for table in WRITTEN:
            cursor.execute(
                f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM ready_{table}"
            )


def _bill() -> None:
    """Bill the month in this process: one page is made while the database stores another."""
    runs.run_month(MONTH, now=NOW, on_progress=lambda _done, _total: None, hands=2)


def _bill_with(workers: Sequence["_Worker"]) -> None:
    tasks.plan_months(NOW)
    for worker in workers:
        worker.begin()
    for worker in workers:
        worker.wait()


def _bill_again(count: int, again: Again) -> None:
    """Run the month once more, as a repeated plan and as repeated pages."""
    _check(count)
    before = _state()
    again.taken.append(rounds.measure(_repeat, [_backend()]))
    assert _state() == before, "a second run wrote something"


def _repeat() -> None:
    runs.plan(NOW)
    last = Organisation.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for first in range(0, last + 1, settings.BILLING_PAGE):
        done = issue.bill_page(
            first_id=first, last_id=first + settings.BILLING_PAGE - 1, month=MONTH, now=NOW
        )
        assert done.total == 0


def _state() -> list[tuple[object, ...]]:
    state: list[tuple[object, ...]] = []
    with connection.cursor() as cursor:
        for table in WRITTEN:
            cursor.execute(f"SELECT count(*), pg_relation_size('{table}') FROM {table}")
            state.append(cursor.fetchone())
        cursor.execute("SELECT last_value FROM billing_invoice_id_seq")
        state.append(cursor.fetchone())
    return [*state, (NumberSeries.objects.get().next,)]


def _check(count: int) -> None:
    issued = Invoice.objects.count()
    assert issued == count, f"{issued} invoices of {count}"
    assert NumberSeries.objects.get().next == count + 1


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        row: tuple[int] = cursor.fetchone()
        return row[0]


def _work_on_demand() -> None:
    """Do what is due each time a line comes in, and say when it is done: a worker without a broker."""
    print(_backend(), flush=True)
    with clock.fixed_at(NOW):
        for _ in sys.stdin:
            work.run_due([work.DEFAULT_QUEUE])
            print("done", flush=True)


class _Worker:
    """A process of its own that bills pages beside another one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.month_end", "--worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.backend = int(self._line())

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        if self._line() != "done\n":
            raise SystemExit("A worker ended early.")

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


if __name__ == "__main__":
    main()
