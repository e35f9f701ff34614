from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.conf import settings as portal
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection
from pytest_django import Settings

from accounts import services as accounts
from billing.enums import RunState
from billing.models import BilledMonth, Invoice, MonthRun, NumberSeries, ParkedOrganisation
from billing.queries import due
from billing.services import park, runs
from billing.services.issue import Outcome
from core import clock, work
from core.models import Work
from core.months import BillingMonth, months_between
from plans.models import Selection
from tests import make
from tests.billing import books
from tests.billing.books import NOW, OCTOBER
from usage.models import UsageRevision

# Midnight of 1 November in Tokyo, and the end of the grace period.
OVER = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)
DUE = datetime(2026, 10, 31, 21, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def run_due(now: datetime) -> None:
    """Do what the month end has asked for, as a worker does; documents are another queue's."""
    with clock.fixed_at(now):
        work.run_due([work.DEFAULT_QUEUE])


def run_everything(now: datetime) -> None:
    """Plan and work, month after month, until nobody is due."""
    while runs.plan(now) is not None:
        run_due(now)


def pages() -> list[str]:
    return list(
        Work.objects.filter(kind="billing.bill_page").order_by("pk").values_list("key", flat=True)
    )


@pytest.mark.parametrize(
    ("now", "last"),
    [
        pytest.param(DUE - timedelta(microseconds=1), BillingMonth(2026, 9), id="in grace"),
        pytest.param(DUE, OCTOBER, id="grace has passed"),
        pytest.param(DUE + timedelta(days=90), BillingMonth(2026, 12), id="three months late"),
    ],
)
def test_a_month_is_over_at_its_end_in_the_billing_zone_and_a_grace(
    now: datetime, last: BillingMonth
) -> None:
    zone = make.vendor().time_zone

    from zoneinfo import ZoneInfo

    assert due.last_over_month(now, ZoneInfo(zone), timedelta(hours=6)) == last


def test_plan_asks_for_nothing_before_a_month_is_due() -> None:
    books.customer(books.starter())

    month = runs.plan(DUE - timedelta(seconds=1))

    assert month is None
    assert pages() == []


def test_plan_without_a_vendor_asks_for_nothing() -> None:
    make.organisation()

    assert runs.plan(NOW) is None


def test_plan_asks_once_for_fixed_blocks_however_often_it_comes() -> None:
    portal.BILLING_PAGE, before = 2, portal.BILLING_PAGE
    try:
        version = books.starter()
        ids = sorted(books.customer(version).pk for _ in range(5))
        for _ in range(3):
            runs.plan(DUE)
    finally:
        portal.BILLING_PAGE = before

    blocks = sorted({each // 2 for each in ids})
    assert pages() == [f"2026-10:{block * 2}-{block * 2 + 1}" for block in blocks]
    assert MonthRun.objects.get().state == RunState.RUNNING


def test_one_tick_bills_every_month_that_somebody_is_behind() -> None:
    version = books.starter()
    old = books.customer(version, since=date(2024, 11, 15))
    new = books.customer(version, since=date(2026, 10, 1))

    with clock.fixed_at(DUE):
        work.plan(DUE)
        work.run_due([work.DEFAULT_QUEUE])

    months = months_between(BillingMonth(2024, 11), OCTOBER)
    assert books.grosses(old) == [(str(month), 5_500) for month in months]
    assert books.grosses(new) == [("2026-10", 5_500)]
    assert books.numbers() == list(range(1, 26))
    assert set(MonthRun.objects.values_list("state", "finished_at")) == {(RunState.DONE, DUE)}
    assert MonthRun.objects.count() == 24


def test_a_parked_organisation_holds_up_nobody_and_catches_up_when_released() -> None:
    version = books.starter()
    unpriced = make.plan_version("unpriced", prices={"USD": 5_000})
    bad = books.customer(unpriced, since=date(2026, 8, 1))
    good = books.customer(version, since=date(2026, 8, 1))
    runs.plan(DUE)
    run_due(DUE)

    assert books.grosses(good) == [("2026-08", 5_500), ("2026-09", 5_500), ("2026-10", 5_500)]
    assert books.grosses(bad) == []
    assert not MonthRun.objects.filter(state=RunState.RUNNING).exists()

    bad.currency = "USD"
    bad.save()
    park.release(organisation_id=bad.pk, actor="user:1", reason="Pays in dollars", now=DUE)
    run_due(DUE)

    assert books.grosses(bad) == [("2026-08", 5_500), ("2026-09", 5_500), ("2026-10", 5_500)]
    assert books.numbers() == [1, 2, 3, 4, 5, 6]
    assert not MonthRun.objects.filter(state=RunState.RUNNING).exists()


def test_months_late_gives_what_punctual_months_would_have_given() -> None:
    version = books.starter()
    punctual = books.customer(version, since=date(2026, 8, 1), calls=150_000)
    for now in (datetime(2026, 9, 2, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC), DUE):
        runs.plan(now)
        run_due(now)
    late = books.customer(version, since=date(2026, 8, 1), calls=150_000)

    runs.plan(DUE)
    run_due(DUE)

    # 50,000 calls over in October cost 500.
    assert books.grosses(late) == [("2026-08", 5_500), ("2026-09", 5_500), ("2026-10", 6_050)]
    assert books.grosses(punctual) == books.grosses(late)


def test_an_organisation_is_billed_to_its_last_month_and_no_further() -> None:
    organisation = books.customer(books.starter(), since=date(2026, 8, 1))
    organisation.closed_on = date(2026, 9, 30)
    organisation.save()

    runs.plan(DUE)
    run_due(DUE)

    assert books.grosses(organisation) == [("2026-08", 5_500), ("2026-09", 5_500)]
    assert runs.plan(DUE + timedelta(days=40)) is None


def test_run_month_bills_here_and_now_and_tells_its_progress() -> None:
    version = books.starter()
    for _ in range(3):
        books.customer(version)
    told: list[tuple[int, int]] = []

    ran = runs.run_month(OCTOBER, now=NOW, on_progress=lambda done, of: told.append((done, of)))

    assert ran == runs.Ran(Outcome(invoiced=3), behind=None)
    assert told[-1] == (3, 3)
    run = MonthRun.objects.get()
    assert (run.state, run.started_at, run.finished_at) == (RunState.DONE, NOW, NOW)


@pytest.mark.django_db(transaction=True)
def test_run_month_with_two_hands_bills_everybody_once(
    settings: Settings,
) -> None:
    settings.BILLING_PAGE = 1
    version = books.starter()
    customers = [books.customer(version) for _ in range(5)]
    told: list[tuple[int, int]] = []

    ran = runs.run_month(
        OCTOBER, now=NOW, on_progress=lambda done, of: told.append((done, of)), hands=2
    )

    assert ran == runs.Ran(Outcome(invoiced=5), behind=None)
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert [books.grosses(each) for each in customers] == [[("2026-10", 5_500)]] * 5
    assert NumberSeries.objects.get().next == 6


@pytest.mark.django_db(transaction=True)
def test_run_month_with_two_hands_tells_what_stopped_one(settings: Settings) -> None:
    settings.BILLING_PAGE = 1
    version = books.starter()
    for _ in range(4):
        books.customer(version)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_taxsummary RENAME TO billing_taxsummary_away")

    with pytest.raises(ProgrammingError):
        runs.run_month(OCTOBER, now=NOW, on_progress=books.quiet, hands=2)

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_taxsummary_away RENAME TO billing_taxsummary")
    assert not Invoice.objects.exists()


def test_run_month_leaves_who_is_behind_and_says_so() -> None:
    behind = books.customer(books.starter(), since=date(2026, 9, 1))

    ran = runs.run_month(OCTOBER, now=NOW, on_progress=books.quiet)

    assert ran == runs.Ran(Outcome(), behind=BillingMonth(2026, 9))
    assert books.grosses(behind) == []


def run_month(*args: str, now: datetime = NOW) -> str:
    out = StringIO()
    with clock.fixed_at(now):
        call_command("run_month", *args, stdout=out)
    return out.getvalue()


def test_the_command_bills_a_month_and_shows_how_it_stands() -> None:
    version = books.starter()
    books.customer(version)
    books.customer(None)
    unpriced = make.plan_version("unpriced", prices={"USD": 5_000})
    bad = books.customer(unpriced)

    said = run_month("2026-10")
    status = run_month("2026-10", "--status")

    assert said == "2026-10: 1 invoices issued, 1 with nothing to bill, 1 parked.\n"
    assert status.splitlines()[:2] == [
        "2026-10: Done. 1 invoices, 1 with nothing to bill, 1 parked, 0 documents made.",
        "  JPY: net ¥5,000, tax ¥500, gross ¥5,500",
    ]
    assert f"parked: {bad.reference}: It could not be billed. NotPriced(" in status


@pytest.mark.parametrize(
    ("args", "now", "said"),
    [
        pytest.param(["2026-13"], NOW, "no month", id="no month"),
        pytest.param(["2026-11"], NOW, "2026-11 is not over", id="not over"),
        pytest.param(
            ["2026-10"], OVER, "waited for until 2026-11-01 06:00 JST", id="in the grace period"
        ),
        pytest.param(["2026-11", "--dry-run"], NOW, "not over", id="dry run of an open month"),
        pytest.param(["2026-10", "--release", "none"], NOW, "no organisation", id="unknown"),
    ],
)
def test_the_command_refuses_in_words(args: list[str], now: datetime, said: str) -> None:
    books.customer(books.starter())

    with pytest.raises(CommandError, match=said):
        run_month(*args, now=now)

    assert not BilledMonth.objects.exists()


def test_the_command_releases_only_with_a_reason() -> None:
    books.starter()
    bad = books.customer(make.plan_version("unpriced", prices={"USD": 5_000}))
    run_month("2026-10")

    with pytest.raises(CommandError, match="--reason"):
        run_month("2026-10", "--release", bad.reference)
    said = run_month("2026-10", "--release", bad.reference, "--reason", "Looked at")

    assert said == f"{bad.reference} goes on with 2026-10.\n"
    assert ParkedOrganisation.objects.get().released_at == NOW


def test_a_dry_run_stores_nothing_and_lists_what_is_unusual() -> None:
    version = books.starter()
    since = date(2026, 9, 1)
    same = books.customer(version, since=since)
    more = books.customer(version, since=since, calls=200_000)
    gone = books.customer(version, since=since)
    bad = books.customer(version, since=since)
    runs.run_month(OCTOBER.previous, now=NOW, on_progress=books.quiet)
    then = datetime(2026, 9, 20, tzinfo=UTC)
    Selection.objects.filter(organisation__in=[gone, bad]).update(until_at=then)
    make.selection(bad, make.plan_version("unpriced", prices={"USD": 5_000}), then)
    before = (Invoice.objects.count(), NumberSeries.objects.get().next, Work.objects.count())

    said = run_month("2026-10", "--dry-run", now=OVER)

    assert (
        Invoice.objects.count(),
        NumberSeries.objects.get().next,
        Work.objects.count(),
    ) == before
    assert not MonthRun.objects.filter(month=OCTOBER.first_day).exists()
    # 100,000 calls over cost 1,000; 6,600 and 5,500 now, three times 5,500 before.
    assert said.splitlines()[:3] == [
        "2026-10, nothing stored:",
        "  JPY: 2 invoices, ¥12,100 (the month before 3, ¥16,500)",
        "  1 with nothing to bill",
    ]
    assert "Would be parked:\n" in said
    assert f"  {bad.reference}: It could not be billed. NotPriced(" in said
    assert f"Nothing now, an invoice before:\n  {gone.reference}: ¥0 (before ¥5,500)\n" in said
    assert f"  {more.reference}: ¥6,600 (before ¥5,500)\n" in said
    assert same.reference not in said


def test_a_dry_run_of_a_billed_month_finds_nothing() -> None:
    books.customer(books.starter())
    run_month("2026-10")

    assert run_month("2026-10", "--dry-run") == (
        "2026-10, nothing stored:\n  0 with nothing to bill\n"
    )


def test_bill_page_of_work_asks_for_the_next_month_when_the_last_page_is_done() -> None:
    books.customer(books.starter(), since=date(2026, 9, 1))
    runs.plan(DUE)

    with clock.fixed_at(DUE):
        work.run_due([work.DEFAULT_QUEUE], limit=1)

    assert [page[:7] for page in pages()] == ["2026-09", "2026-10"]
    assert books.bill() == Outcome(invoiced=1)


def test_whose_automatic_invoicing_is_off_waits_and_is_then_billed_month_by_month() -> None:
    version = books.starter()
    waiting = books.customer(version, since=date(2026, 9, 1))
    other = books.customer(version, since=date(2026, 10, 1))

    def switch(*, is_off: bool) -> None:
        accounts.switch_auto_invoicing(
            organisation_id=waiting.pk,
            is_off=is_off,
            actor=make.ACTOR,
            reason="its usage is being imported",
            now=NOW,
        )

    switch(is_off=True)

    run_everything(DUE)

    assert list(BilledMonth.objects.values_list("organisation_id", flat=True)) == [other.pk]
    out = StringIO()
    call_command("run_month", "2026-10", "--status", stdout=out)
    assert f"automatic invoicing is off: {waiting.reference}" in out.getvalue()

    switch(is_off=False)
    run_everything(DUE)

    months = BilledMonth.objects.filter(organisation=waiting).order_by("month")
    assert list(months.values_list("month", flat=True)) == [date(2026, 9, 1), date(2026, 10, 1)]


def test_what_comes_in_after_the_last_bill_of_a_closed_organisation_is_billed_once() -> None:
    """Rule: B-08. The month after its last one has no fee, and the adjustment; then comes none."""
    organisation = books.customer(books.starter(), since=date(2026, 9, 1), calls=150_000)
    organisation.closed_on = date(2026, 10, 16)
    organisation.save()
    run_everything(DUE)
    assert books.grosses(organisation) == [("2026-09", 5_500), ("2026-10", 6_050)]

    books.use(organisation, date(2026, 10, 6), 50_000)
    UsageRevision.objects.create(organisation=organisation, month=OCTOBER.first_day, revision=1)
    run_everything(DUE + timedelta(days=29))
    assert len(books.grosses(organisation)) == 2
    run_everything(DUE + timedelta(days=31))
    run_everything(DUE + timedelta(days=62))

    # 50,000 calls more cost 500.
    assert books.grosses(organisation)[2:] == [("2026-11", 550)]
    assert runs.plan(DUE + timedelta(days=93)) is None
