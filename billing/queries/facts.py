"""The facts of many organisations' month, in a fixed number of statements. Rule: design.md 2."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import connection

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Facts, Fee, LateMonth
from billing.rules.tax import tax_code
from core.ids import array
from core.money import Rounding
from core.months import BillingMonth
from plans import queries as plans
from plans.enums import Category, TaxCategory
from plans.models import VendorVersion
from plans.rules import Meter, PlanTerms
from usage import queries as usage

Used = Mapping[str, Decimal]
Terms = Mapping[tuple[int, str], PlanTerms]
ReadTerms = Callable[[Iterable[int], str], Mapping[int, PlanTerms]]
_NOTHING_USED: Used = {}
_NO_CREDIT: Mapping[TaxCode, int] = {}


class NotPriced(LookupError):
    """A selected version has no price in the organisation's currency. Rule: B-12."""


@dataclass(slots=True)
class _Page:
    """What was read of a page of organisations, on its way to facts."""

    meters: tuple[Meter, ...]
    used: Mapping[int, Used]
    late: Mapping[int, Sequence["Late"]]
    terms: Terms
    fees: dict[tuple[int, str, int], Fee] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Late:
    """An earlier month as its row tells it. `facts`: the canonical form that it was billed from."""

    month: BillingMonth
    revision: int
    facts: Mapping[str, Any]
    rated: Mapping[str, str]
    billed: Mapping[str, int]
    used: Mapping[str, str]

    @property
    def licence(self) -> tuple[int, str] | None:
        """The licence version that the month was rated by, and its currency."""
        stored = self.facts["licence"]
        return (stored[0], self.facts["currency"]) if stored else None


def load(
    organisation_ids: list[int],
    month: BillingMonth,
    *,
    vendor: VendorVersion,
    zone: ZoneInfo,
) -> list[Facts]:
    """Return the facts of these organisations' month, in the order of their ids.

    An organisation that was closed before the month began carries no fee. What came in late is
    looked up before the sums that include it, so that what arrives in between is only looked at
    once more the month after. Raises NotPriced.
    Rule: B-02, B-03, B-05, B-08.
    """
    ids = sorted(organisation_ids)
    late = late_months(ids, month)
    rows = _organisations(ids, month, zone)
    meters = plans.meters()
    page = _Page(
        meters=meters,
        used=usage.monthly_usage(ids, month, meters),
        late=late,
        terms=_terms(rows, late),
    )
    rounding = Rounding(vendor.tax_rounding)
    return [_facts(row, page, month, vendor.country, rounding) for row in rows]


# Id, country, currency, licence version and steps, support version and steps, credit as JSON.
Row = tuple[int, str, str, int | None, int | None, int | None, int | None, str | None]


def _facts(
    row: Row, page: _Page, month: BillingMonth, vendor_country: str, rounding: Rounding
) -> Facts:
    organisation_id, country, currency, licence, steps, support, support_steps, credit = row
    return Facts(
        organisation_id,
        month,
        currency,
        country,
        vendor_country,
        rounding,
        _fee(licence, currency, steps, page),
        _fee(support, currency, support_steps, page),
        page.meters,
        page.used.get(organisation_id, _NOTHING_USED),
        tuple(late_facts(late, page.terms) for late in page.late.get(organisation_id, ())),
        _credit(credit),
    )


def _fee(version_id: int | None, currency: str, steps: int | None, page: _Page) -> Fee | None:
    if version_id is None or steps is None:
        return None
    key = (version_id, currency, steps)
    fee = page.fees.get(key)
    if fee is None:
        terms = page.terms.get((version_id, currency))
        if terms is None:
            raise NotPriced(f"version {version_id} in {currency}")
        fee = page.fees[key] = Fee(terms, steps)
    return fee


def _organisations(ids: list[int], month: BillingMonth, zone: ZoneInfo) -> list[Row]:
    """Return who they are, whose fee the month carries and the credit left from the month before.

    The fee is plans.queries.fee_selections', joined here to spare the month end a statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH fee AS MATERIALIZED (
                SELECT s.organisation_id, s.category, s.plan_version_id, s.steps
                FROM plans_selection s
                WHERE s.organisation_id = ANY(%(ids)s::bigint[]) AND s.from_at < %(at)s
                  AND (s.until_at IS NULL OR s.until_at > %(at)s
                       OR (s.until_at = %(at)s AND EXISTS (
                           SELECT 1 FROM plans_selection n
                           WHERE n.organisation_id = ANY(%(ids)s::bigint[])
                             AND n.organisation_id = s.organisation_id
                             AND n.category = s.category AND n.from_at = %(at)s)))
            )
            SELECT o.id, o.country, o.currency,
                   l.plan_version_id, l.steps, p.plan_version_id, p.steps,
                   (SELECT b.credit::text FROM billing_billedmonth b
                    WHERE b.organisation_id = o.id AND b.month = %(before)s AND b.credit <> '{}')
            FROM accounts_organisation o
            LEFT JOIN fee l ON l.organisation_id = o.id AND l.category = %(licence)s
                AND (o.closed_on IS NULL OR o.closed_on > %(first_day)s)
            LEFT JOIN fee p ON p.organisation_id = o.id AND p.category = %(support)s
                AND (o.closed_on IS NULL OR o.closed_on > %(first_day)s)
            WHERE o.id = ANY(%(ids)s::bigint[])
            ORDER BY o.id
            """,
            {
                "ids": array(ids),
                "at": month.starts_at(zone),
                "first_day": month.first_day,
                "before": month.previous.first_day,
                "licence": Category.LICENCE.value,
                "support": Category.SUPPORT.value,
            },
        )
        rows: list[Row] = cursor.fetchall()
        return rows


def _credit(stored: str | None) -> Mapping[TaxCode, int]:
    if stored is None:
        return _NO_CREDIT
    return {TaxCode(code): net for code, net in orjson.loads(stored).items()}


def late_months(ids: list[int], month: BillingMonth) -> dict[int, list[Late]]:
    """Return the billed months before this one whose usage has a newer revision than was rated.

    One statement reads the revision and the sums, in one snapshot.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH late AS MATERIALIZED (
                SELECT u.organisation_id, u.month, u.revision, b.facts,
                       COALESCE(r.quantities, b.facts -> 'used') AS rated
                FROM usage_usagerevision u
                JOIN billing_billedmonth b USING (organisation_id, month)
                LEFT JOIN billing_ratedrevision r USING (organisation_id, month)
                WHERE u.organisation_id = ANY(%(ids)s::bigint[]) AND u.month < %(month)s
                  AND u.revision > COALESCE(r.revision, 0)
            ), sums AS (
                SELECT l.organisation_id, l.month, m.code,
                       CASE m.aggregation
                           WHEN 'sum' THEN sum(d.quantity)
                           WHEN 'max' THEN max(d.quantity)
                           ELSE (array_agg(d.quantity ORDER BY d.day DESC))[1]
                       END AS quantity
                FROM late l
                JOIN usage_dailyusage d ON d.organisation_id = l.organisation_id
                    AND d.day >= l.month AND d.day < (l.month + interval '1 month')::date
                JOIN plans_meter m ON m.id = d.meter_id
                GROUP BY l.organisation_id, l.month, m.id
            ), billed AS (
                SELECT l.organisation_id, l.month, m.code, sum(i.net) AS net
                FROM late l
                JOIN billing_invoice v ON v.organisation_id = l.organisation_id
                    AND v.month >= l.month AND v.kind = 'monthly'
                JOIN billing_invoiceline i ON i.invoice_id = v.id AND i.month = l.month
                    AND i.kind IN (%(usage)s, %(adjustment)s)
                JOIN plans_meter m ON m.id = i.meter_id
                GROUP BY l.organisation_id, l.month, m.id
            )
            SELECT l.organisation_id, l.month, l.revision, l.facts::text, l.rated::text,
                   (SELECT COALESCE(jsonb_object_agg(s.code, s.quantity::text), '{}') FROM sums s
                    WHERE s.organisation_id = l.organisation_id AND s.month = l.month)::text,
                   (SELECT COALESCE(jsonb_object_agg(b.code, b.net), '{}') FROM billed b
                    WHERE b.organisation_id = l.organisation_id AND b.month = l.month)::text
            FROM late l
            ORDER BY l.organisation_id, l.month
            """,
            {
                "ids": array(ids),
                "month": month.first_day,
                "usage": LineKind.USAGE.value,
                "adjustment": LineKind.ADJUSTMENT.value,
            },
        )
        late: dict[int, list[Late]] = defaultdict(list)
        for organisation_id, first_day, revision, facts, rated, used, billed in cursor.fetchall():
            late[organisation_id].append(_late_row(first_day, revision, facts, rated, used, billed))
    return late


def _late_row(
    first_day: date, revision: int, facts: str, rated: str, used: str, billed: str
) -> Late:
    return Late(
        BillingMonth.of_day(first_day),
        revision,
        orjson.loads(facts),
        orjson.loads(rated),
        orjson.loads(billed),
        orjson.loads(used),
    )


def late_facts(late: Late, terms: Terms) -> LateMonth:
    """Return a late month as it is rated again: by the version and for the country it was billed."""
    licence: PlanTerms | None = None
    if late.licence is not None:
        licence = terms.get(late.licence)
        if licence is None:
            raise NotPriced(f"version {late.licence[0]} in {late.licence[1]}")
    return LateMonth(
        month=late.month,
        licence=licence,
        tax_code=tax_code(
            late.facts["vendor_country"],
            late.facts["country"],
            licence.tax_category if licence else TaxCategory.STANDARD,
            late.month,
        ),
        used={code: Decimal(quantity) for code, quantity in late.used.items()},
        rated={code: Decimal(quantity) for code, quantity in late.rated.items()},
        billed=late.billed,
        revision=late.revision,
    )


def _terms(rows: Sequence[Row], late: Mapping[int, Sequence[Late]]) -> Terms:
    """Return the terms of every version that a page needs, read afresh: two statements a currency."""
    wanted = {(row[3], row[2]) for row in rows} | {(row[5], row[2]) for row in rows}
    known = {(version, currency) for version, currency in wanted if version is not None}
    return terms_of(
        known | {each.licence for some in late.values() for each in some if each.licence}
    )


def terms_of(
    wanted: Iterable[tuple[int, str]], read: ReadTerms = plans.terms
) -> dict[tuple[int, str], PlanTerms]:
    """Return the terms of plan versions in currencies; what is not priced is left out."""
    by_currency: dict[str, set[int]] = defaultdict(set)
    for version_id, currency in wanted:
        by_currency[currency].add(version_id)
    return {
        (version_id, currency): terms
        for currency, versions in by_currency.items()
        for version_id, terms in read(versions, currency).items()
    }
