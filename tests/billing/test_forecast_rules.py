"""The forecast by hand: what is measured, what is estimated and by what, and two timelines compared."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from billing.enums import BasisKind, LineKind, Phase, TaxCode
from billing.rules import forecast
from billing.rules.estimates import Basis, MeterForecast, Past
from billing.rules.facts import Facts
from billing.rules.forecast import Known, LineChange, MonthForecast
from core.months import BillingMonth
from plans.enums import Aggregation
from plans.rules import Meter, PlanTerms
from plans.rules.timeline import Span, Term, Timeline
from tests.billing import kernel

TOKYO = ZoneInfo("Asia/Tokyo")
OCTOBER, NOVEMBER, DECEMBER = (BillingMonth(2026, month) for month in (10, 11, 12))
# 22 November, 14:00 in Tokyo: eight days are left, and 21 are over.
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
DEVICES = kernel.meter("devices", meter_id=3, aggregation=Aggregation.MAX)
STORED = kernel.meter("stored", meter_id=4, aggregation=Aggregation.LAST)
STARTER = kernel.terms(5_000, kernel.calls())
PRO = kernel.terms(20_000, kernel.calls(included=200_000), version_id=7, name="Pro")
Days = Mapping[date, Decimal | int | str]


def jst(month: int, day: int, hour: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=TOKYO)


def contracted(*spans: tuple[PlanTerms, datetime], support: PlanTerms | None = None) -> Timeline:
    ends = [start for _, start in spans[1:]]
    licence = tuple(
        Span(terms, 1, start, end) for (terms, start), end in zip(spans, [*ends, None], strict=True)
    )
    return Timeline(licence, (Span(support, 1, jst(1, 1)),) if support else ())


def known(
    days: Mapping[Meter, Days] | None = None,
    *,
    first: BillingMonth = NOVEMBER,
    facts: Facts | None = None,
    now: datetime = NOW,
    since: date = date(2026, 1, 1),
    closed_on: date | None = None,
) -> Known:
    measured = {
        meter.id: {day: Decimal(quantity) for day, quantity in daily.items()}
        for meter, daily in (days or {}).items()
    }
    meters = (kernel.CALLS, DEVICES, STORED)
    return Known(
        facts=facts or kernel.facts(month=first, meters=meters),
        past=Past(measured, since, closed_on, now.astimezone(TOKYO).date()),
        final={},
        now=now,
        zone=TOKYO,
    )


def four(known: Known, timeline: Timeline) -> tuple[MonthForecast, ...]:
    return forecast.forecast(known, timeline, months=4)


def of_meter(month: MonthForecast, meter: Meter) -> MeterForecast:
    (found,) = [each for each in month.meters if each.meter == meter]
    return found


SINCE_JANUARY = contracted((STARTER, jst(1, 1)))
EVERY_DAY = {date(2026, 10, 1) + timedelta(days=number): 4_000 for number in range(52)}


def test_forecast_tells_what_is_measured_from_what_is_estimated() -> None:
    """4,000 calls a day: 84,000 in 21 days of November, and 8 days to come after today."""
    shown = four(known({kernel.CALLS: EVERY_DAY}), SINCE_JANUARY)

    assert [each.month for each in shown] == [
        NOVEMBER,
        DECEMBER,
        DECEMBER.plus(1),
        DECEMBER.plus(2),
    ]
    november, december = shown[:2]
    assert (november.phase, december.phase) == (Phase.RUNNING, Phase.AHEAD)
    assert november.meters[0] == MeterForecast(
        kernel.CALLS,
        Decimal(84_000),
        Decimal(32_000),
        8,
        Basis(BasisKind.AVERAGE, 28, Decimal(112_000)),
    )
    # 116,000: 100,000 included, 10,000 at 0.01 and 6,000 at 0.004 yen.
    assert [(each.measured_net, each.net) for each in november.lines] == [(5_000, 5_000), (0, 124)]
    assert [each.is_estimated for each in november.lines] == [False, True]
    measured, expected = november.measured, november.expected
    assert (measured.net, measured.tax, measured.gross) == (5_000, 500, 5_500)
    assert (expected.net, expected.tax, expected.gross) == (5_124, 512, 5_636)
    # December: 31 days of it, 124,000 calls: 100 + 14,000 at 0.004 = 156.
    assert of_meter(december, kernel.CALLS).total == Decimal(124_000)
    assert (december.measured.gross, december.expected.net) == (5_500, 5_156)
    assert [each.fixed.gross for each in shown] == [5_500] * 4


@pytest.mark.parametrize(
    ("meter", "days", "so_far", "rest", "basis", "december"),
    [
        pytest.param(
            kernel.CALLS,
            {TODAY: 7},
            7,
            0,
            Basis(BasisKind.UNUSED, 28),
            0,
            id="sum: today is no full day",
        ),
        pytest.param(
            kernel.CALLS,
            {date(2026, 10, 25): 5, date(2026, 10, 24): 700},
            0,
            1,
            Basis(BasisKind.AVERAGE, 28, Decimal(5)),
            6,
            id="sum: 28 full days back and no more, whole calls",
        ),
        pytest.param(
            kernel.CALLS,
            {date(2026, 11, 2): "0.25", date(2026, 11, 3): 4},
            "4.25",
            "1.21",
            Basis(BasisKind.AVERAGE, 28, Decimal("4.25")),
            "4.71",
            id="sum: as fine as what was measured",
        ),
        pytest.param(
            kernel.CALLS,
            {date(2026, 11, 2): -40},
            -40,
            0,
            Basis(BasisKind.UNUSED, 28),
            0,
            id="sum: corrections are not to be expected",
        ),
        pytest.param(
            DEVICES,
            {date(2026, 10, 26): 90, date(2026, 10, 25): 300, date(2026, 11, 3): 60},
            60,
            30,
            Basis(BasisKind.HIGHEST, 28, Decimal(90)),
            90,
            id="max: the highest of 28 days, today among them",
        ),
        pytest.param(
            DEVICES,
            {TODAY: 60},
            60,
            0,
            Basis(BasisKind.HIGHEST, 28, Decimal(60)),
            60,
            id="max: today counts",
        ),
        pytest.param(
            STORED,
            {date(2026, 11, 3): 60, date(2026, 11, 5): 20},
            20,
            0,
            Basis(BasisKind.LATEST, 28, Decimal(20)),
            20,
            id="last: it stays as it is",
        ),
        pytest.param(
            STORED,
            {date(2026, 10, 30): 45},
            0,
            45,
            Basis(BasisKind.LATEST, 28, Decimal(45)),
            45,
            id="last: of the month before",
        ),
        pytest.param(
            STORED,
            {date(2026, 10, 25): 45},
            0,
            0,
            None,
            None,
            id="last: not seen for 28 days",
        ),
    ],
)
def test_forecast_estimates_as_a_meter_aggregates(
    meter: Meter,
    days: Days,
    so_far: int | str,
    rest: int | str,
    basis: Basis | None,
    december: int | str | None,
) -> None:
    """Rule: B-05."""
    shown = four(known({meter: days}), SINCE_JANUARY)

    if basis is None:
        assert meter not in [each.meter for month in shown for each in month.meters]
        return
    november = of_meter(shown[0], meter)
    assert (november.used, november.rest) == (Decimal(so_far), Decimal(rest))
    assert (november.days_left, november.basis) == (8, basis)
    if december is not None and (meter == kernel.CALLS or december):
        assert of_meter(shown[1], meter).total == Decimal(december)


def test_forecast_has_nothing_to_go_by_on_the_first_day_as_a_customer() -> None:
    shown = four(known({kernel.CALLS: {TODAY: 50}}, since=TODAY), contracted((STARTER, NOW)))

    assert of_meter(shown[0], kernel.CALLS).basis == Basis(BasisKind.TOO_NEW)
    assert [each.expected.gross for each in shown] == [0, 5_500, 5_500, 5_500]


def test_forecast_of_a_new_customer_rests_on_fewer_days() -> None:
    """Since 20 November: two full days, 10 calls, 8 days to come."""
    days = {date(2026, 11, 20): 4, date(2026, 11, 21): 6}
    shown = four(known({kernel.CALLS: days}, since=date(2026, 11, 20)), SINCE_JANUARY)

    assert of_meter(shown[0], kernel.CALLS) == MeterForecast(
        kernel.CALLS, Decimal(10), Decimal(40), 8, Basis(BasisKind.AVERAGE, 2, Decimal(10))
    )


def test_forecast_estimates_nothing_on_the_last_day() -> None:
    """30 November, 23:59 in Tokyo; in UTC the day still has nine hours."""
    now = datetime(2026, 11, 30, 14, 59, tzinfo=UTC)

    shown = four(known({kernel.CALLS: EVERY_DAY}, now=now), SINCE_JANUARY)

    november = shown[0]
    assert (of_meter(november, kernel.CALLS).rest, november.is_estimated) == (Decimal(0), False)
    assert november.measured == november.expected
    assert of_meter(shown[1], kernel.CALLS).days_left == 31


@pytest.mark.parametrize(
    ("at", "net"),
    [
        pytest.param(jst(12, 1), [5_000, 5_000, 20_000, 20_000], id="at the very first instant"),
        pytest.param(
            jst(12, 1) - timedelta(microseconds=1),
            [5_000, 20_000, 20_000, 20_000],
            id="just before it",
        ),
        pytest.param(NOW, [5_000, 20_000, 20_000, 20_000], id="now"),
    ],
)
def test_forecast_bills_a_change_from_the_month_that_begins_next(
    at: datetime, net: list[int]
) -> None:
    """Rule: S1-26, B-02."""
    shown = four(known(), contracted((STARTER, jst(1, 1)), (PRO, at)))

    assert [each.expected.net for each in shown] == net


def test_forecast_follows_an_ordered_return_to_the_free_plan() -> None:
    """The term ends on the last day of December: January is free. Rule: S2-13, B-02."""
    free = kernel.terms(0, version_id=9, name="Free")

    shown = four(known(), contracted((STARTER, jst(1, 1)), (free, jst(12, 31))))

    assert [each.expected.gross for each in shown] == [5_500, 5_500, 0, 0]
    assert [each.licence.terms.plan_code for each in shown if each.licence] == [
        "starter",
        "starter",
        "free",
        "free",
    ]


FREE = kernel.terms(0, version_id=9, name="Free")
DEARER = replace(STARTER, version_id=11, version_number=4, net=6_000)


@pytest.mark.parametrize(
    ("renews", "offers", "gross", "supposed"),
    [
        pytest.param(
            True,
            {"starter": DEARER},
            [5_500, 5_500, 6_600, 6_600],
            [False, False, True, True],
            id="renewed month by month at the price on sale",
        ),
        pytest.param(
            False, {"starter": DEARER}, [5_500, 5_500, 0, 0], [False] * 4, id="not renewed"
        ),
        pytest.param(True, {"pro": PRO}, [5_500, 5_500, 0, 0], [False] * 4, id="no longer on sale"),
    ],
)
def test_forecast_supposes_the_automatic_renewal_that_is_switched_on(
    renews: bool,
    offers: Mapping[str, PlanTerms],
    gross: list[int],
    supposed: list[bool],
) -> None:
    """A month's contract from 10 November on: its next terms begin on 10 December, January, … S2-13."""
    timeline = Timeline(
        licence=(
            Span(STARTER, 1, jst(10, 10), jst(12, 10)),
            Span(FREE, 1, jst(12, 10)),
        ),
        terms=(Term(date(2026, 10, 10), 0, 1), Term(date(2026, 10, 10), 1, 1)),
        renews=renews,
        free=FREE,
    )

    shown = forecast.forecast(known(), timeline, months=4, offers=offers)

    assert [each.expected.gross for each in shown] == gross
    assert [each.supposes_renewal for each in shown] == supposed


def test_forecast_gives_what_came_late_to_the_first_month_that_is_not_billed() -> None:
    """September gave 156 too much; October is over, takes it back, and is billed first. Rule: B-08."""
    late = kernel.late(
        licence=STARTER,
        used={"calls": Decimal(100_000)},
        rated={"calls": Decimal(124_000)},
        billed={"calls": 156},
    )
    facts = kernel.facts(
        month=OCTOBER, meters=(kernel.CALLS,), late=(late,), credit={TaxCode.JP10: 5_000}
    )

    shown = four(known(facts=facts, first=OCTOBER), SINCE_JANUARY)

    assert [(each.month, each.phase) for each in shown[:2]] == [
        (OCTOBER, Phase.OVER),
        (NOVEMBER, Phase.RUNNING),
    ]
    assert kernel.kinds(shown[0].expected) == [
        (LineKind.FEE, 5_000),
        (LineKind.USAGE, 0),
        (LineKind.ADJUSTMENT, -156),
        (LineKind.CREDIT_BROUGHT, -5_000),
        (LineKind.CREDIT_CARRIED, 156),
    ]
    assert kernel.kinds(shown[1].expected) == [
        (LineKind.FEE, 5_000),
        (LineKind.USAGE, 0),
        (LineKind.CREDIT_BROUGHT, -156),
    ]
    assert [each.expected.gross for each in shown] == [0, 5_328, 5_500, 5_500, 5_500]


def test_forecast_keeps_the_credit_of_the_estimate_apart_from_what_is_certain() -> None:
    """6,000 of credit: the fee leaves 1,000, of which estimated usage would take 124."""
    facts = kernel.facts(month=NOVEMBER, meters=(kernel.CALLS,), credit={TaxCode.JP10: 6_000})

    november, december, *_ = four(known({kernel.CALLS: EVERY_DAY}, facts=facts), SINCE_JANUARY)

    carried = november.lines[-1]
    assert (carried.line.kind, carried.measured_net, carried.net) == (
        LineKind.CREDIT_CARRIED,
        1_000,
        876,
    )
    assert (november.measured.gross, november.expected.gross) == (0, 0)
    assert (december.measured.net, december.expected.net) == (4_000, 5_156 - 876)


def test_forecast_takes_the_usage_it_is_given() -> None:
    usage = {NOVEMBER: {"calls": Decimal(110_000)}}

    shown = forecast.forecast(
        known({kernel.CALLS: EVERY_DAY}), SINCE_JANUARY, months=2, usage=usage
    )

    assert [each.expected.net for each in shown] == [5_100, 5_156]
    assert of_meter(shown[0], kernel.CALLS) == MeterForecast(
        kernel.CALLS, Decimal(84_000), Decimal(26_000), 8, Basis(BasisKind.GIVEN)
    )


def test_forecast_carries_no_fee_after_an_organisation_is_closed() -> None:
    """Closed from 1 December on: November is the last month with a fee and with days to come."""
    shown = four(known({kernel.CALLS: EVERY_DAY}, closed_on=date(2026, 12, 1)), SINCE_JANUARY)

    assert [each.expected.gross for each in shown] == [5_636, 0, 0, 0]
    assert [meter.rest for month in shown[1:] for meter in month.meters] == []


def test_forecast_begins_with_the_first_month_as_a_customer() -> None:
    shown = four(known(first=DECEMBER), SINCE_JANUARY)

    assert [each.month for each in shown] == [DECEMBER, DECEMBER.plus(1), DECEMBER.plus(2)]


def test_compare_puts_two_timelines_side_by_side_line_by_line() -> None:
    """Starter to Pro now, with support: calls cost 156 in December, and are included in Pro."""
    facts = known({kernel.CALLS: EVERY_DAY})
    silver = kernel.support(3_000)
    before = four(facts, SINCE_JANUARY)
    proposed = Timeline(
        contracted((STARTER, jst(1, 1)), (PRO, NOW)).licence, (Span(silver, 1, NOW),)
    )

    changes = forecast.compare(before, four(facts, proposed))

    november, december = changes[:2]
    assert (november.is_changed, november.difference) == (False, 0)
    assert [_told(line) for line in november.lines] == [
        ("Starter 100", "Starter 100", 0),
        (124, 124),
    ]
    assert [_told(line) for line in december.lines] == [
        ("Starter 100", "Pro 100", 15_000),
        (None, "Silver", 3_000),
        (156, 0),
    ]
    assert [line.is_changed for line in december.lines] == [True, True, True]
    # 23,000 and 2,300 against 5,156 and 515.
    assert december.difference == 25_300 - 5_671


def _told(line: LineChange) -> tuple[object, ...]:
    """Return a fee's names and difference, or what usage comes to before and after."""
    sides = (line.before, line.after)
    if any(each and each.line.kind == LineKind.FEE for each in sides):
        return (*(each.line.name_en if each else None for each in sides), line.difference)
    return tuple(each.net if each else None for each in sides)


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (Basis(BasisKind.AVERAGE, 28, Decimal(5)), "average of the last 28 full days"),
        (Basis(BasisKind.AVERAGE, 1, Decimal(5)), "average of the last 1 full day"),
        (Basis(BasisKind.HIGHEST, 28, Decimal(5)), "highest of the last 28 days"),
        (Basis(BasisKind.LATEST, 28, Decimal(5)), "latest value of the last 28 days"),
        (Basis(BasisKind.UNUSED, 28), "no usage in the last 28 days"),
        (Basis(BasisKind.TOO_NEW), "no full day of usage yet"),
        (Basis(BasisKind.GIVEN), "usage as entered"),
    ],
)
def test_basis_is_said_in_words(basis: Basis, words: str) -> None:
    with translation.override("en"):
        assert basis.words == words
