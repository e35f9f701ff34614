"""What an organisation's next bills would be, if what is contracted were so. Rule: design.md 6.1."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson
from django.db import connection, transaction

from accounts.models import Organisation
from billing.enums import TaxCode
from billing.queries.facts import Late, late_facts, late_months, terms_of
from billing.queries.stored import Reader
from billing.rules import forecast as rules
from billing.rules import rating
from billing.rules.estimates import LOOKS_BACK, Past
from billing.rules.facts import Bill, Facts, facts_from_json
from billing.rules.forecast import Known, MonthForecast, Usage
from core import statements
from core.money import Rounding
from core.months import BillingMonth
from plans import queries as plans
from plans.rules import PlanTerms, renewals
from plans.rules.timeline import Timeline

MONTHS = 4


@contextmanager
def snapshot() -> Iterator[None]:
    """Read all that follows as of one instant, in a transaction that cannot write.

    Inside a transaction of the caller's, its view is used.
    """
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def forecast(
    organisation: Organisation,
    timeline: Timeline,
    *,
    now: datetime,
    months: int = MONTHS,
    usage: Usage | None = None,
) -> tuple[MonthForecast, ...]:
    """Return the bills of this month and the next ones, if the timeline were what is contracted.

    An earlier month that is not billed yet takes what came in late and hands its credit on, and is
    not among them. A main contract that renews by itself does so at the price on sale today. To hold
    two timelines against each other, ask `known` once. Raises MixedCurrencies, NotPriced.
    Rule: design.md 6.1, S1-26, S2-13.
    """
    with snapshot():
        found = known(organisation, now=now, months=months)
        offers = _renewed_with(timeline, organisation.currency, found)
    return ahead(found, timeline, months=months, usage=usage, offers=offers)


def ahead(
    known: Known,
    timeline: Timeline,
    *,
    months: int = MONTHS,
    usage: Usage | None = None,
    offers: Mapping[str, PlanTerms] | None = None,
) -> tuple[MonthForecast, ...]:
    """Return the bills of this month and the next ones; reads nothing.

    `offers`: what is on sale by plan code, for what renews by itself; without, nothing renews.
    """
    found = rules.forecast(known, timeline, months=months, usage=usage, offers=offers)
    return tuple(each for each in found if each.month >= known.this_month)


def known(organisation: Organisation, *, now: datetime, months: int = MONTHS) -> Known:
    """Return what the bills of an organisation's next months are made of, besides its timeline.

    One statement, and three more where usage came in late, in one snapshot. Raises NotPriced.
    Rule: B-08.
    """
    vendor = plans.vendor_for_pages()
    meters = plans.meters_for_pages()
    zone = ZoneInfo(vendor.time_zone)
    today = now.astimezone(zone).date()
    with snapshot():
        row = _row(organisation, today, months)
        late: list[Late] = []
        if row.has_late:
            late = late_months([organisation.pk], row.first).get(organisation.pk, [])
        terms = terms_of({each.licence for each in late if each.licence}, plans.terms_for_pages)
        reader = Reader.for_pages()
        final = {month: _final(stored, reader) for month, stored in row.final.items()}
    return Known(
        facts=Facts(
            organisation.pk,
            row.first,
            organisation.currency,
            organisation.country,
            vendor.country,
            Rounding(vendor.tax_rounding),
            None,
            None,
            meters,
            {},
            tuple(late_facts(each, terms) for each in late),
            row.credit,
        ),
        past=Past(row.daily, organisation.customer_since, organisation.closed_on, today),
        final=final,
        now=now,
        zone=zone,
    )


def _renewed_with(timeline: Timeline, currency: str, known: Known) -> dict[str, PlanTerms]:
    """Return the version on sale today of the plan that renews by itself, by its code."""
    paid = renewals.paid_span(timeline)
    if not timeline.renews or paid is None:
        return {}
    version = plans.version_on_sale(paid.terms.plan_code, known.past.today)
    if version is None:
        return {}
    terms = plans.terms_for_pages([version.pk], currency).get(version.pk)
    return {} if terms is None else {terms.plan_code: terms}


@dataclass(frozen=True, slots=True)
class _Row:
    """`first`: the first month that is not billed. `final`: stored facts of months from now on."""

    first: BillingMonth
    credit: dict[TaxCode, int]
    has_late: bool
    final: dict[BillingMonth, str]
    daily: dict[int, dict[date, Decimal]]


def _row(organisation: Organisation, today: date, months: int) -> _Row:
    """Read what is billed, what is left over and what was measured."""
    this = BillingMonth.of_day(today)
    with statements.prepared() as cursor:
        cursor.execute(
            """
            WITH billed AS (
                SELECT (SELECT max(b.month) FROM billing_billedmonth b
                        WHERE b.organisation_id = %(id)s) AS last
            ), open AS (
                SELECT last, COALESCE((last + interval '1 month')::date, %(since)s::date) AS first
                FROM billed
            )
            SELECT open.first,
                   (SELECT b.credit::text FROM billing_billedmonth b
                    WHERE b.organisation_id = %(id)s AND b.month = open.last),
                   EXISTS (
                       SELECT FROM usage_usagerevision u
                       LEFT JOIN billing_ratedrevision r USING (organisation_id, month)
                       WHERE u.organisation_id = %(id)s AND u.month <= open.last
                         AND u.revision > COALESCE(r.revision, 0)),
                   (SELECT json_agg(json_build_array(b.month, b.facts::text))
                    FROM billing_billedmonth b
                    WHERE b.organisation_id = %(id)s AND b.month >= %(this)s)::text,
                   (SELECT json_agg(json_build_array(d.meter_id, d.day, d.quantity::text))
                    FROM usage_dailyusage d
                    WHERE d.organisation_id = %(id)s
                      AND d.day >= LEAST(open.first, %(recent)s) AND d.day < %(end)s)::text
            FROM open
            """,
            {
                "id": organisation.pk,
                "since": organisation.customer_since.replace(day=1),
                "this": this.first_day,
                "recent": today - LOOKS_BACK,
                "end": this.plus(months).first_day,
            },
        )
        first, credit, has_late, final, usage = cursor.fetchone()
    daily: dict[int, dict[date, Decimal]] = {}
    for meter_id, day, quantity in orjson.loads(usage or "[]"):
        daily.setdefault(meter_id, {})[date.fromisoformat(day)] = Decimal(quantity)
    return _Row(
        first=BillingMonth.of_day(first),
        credit={TaxCode(code): net for code, net in orjson.loads(credit or "{}").items()},
        has_late=has_late,
        final={
            BillingMonth.of_day(date.fromisoformat(month)): stored
            for month, stored in orjson.loads(final or "[]")
        },
        daily=daily,
    )


def _final(stored: str, reader: Reader) -> tuple[Facts, Bill]:
    """Return a billed month as it was billed: from its facts, which prove the invoice (R9)."""
    facts = facts_from_json(orjson.loads(stored), reader.catalogue)
    return facts, rating.rate(facts)
