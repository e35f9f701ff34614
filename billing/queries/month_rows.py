"""A month's row and those of the two before it, read in one statement for the usage page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from accounts.models import Organisation
from billing.enums import TaxCode
from core import statements
from core.months import BillingMonth
from plans.enums import Category


@dataclass(frozen=True, slots=True)
class IssuedAs:
    """The invoice that made a month final."""

    public_id: UUID
    number: int
    issued_on: date


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month's row, billed or not. `lines`, `taxes` and `facts` as stored; `fees`: of an open month.

    `has_late`: usage of a month before it came in late and is not rated yet. `daily`: by meter id.
    """

    month: BillingMonth
    billed_at: datetime | None
    facts: str | None
    credit: Mapping[TaxCode, int]
    invoice: IssuedAs | None
    gross: int
    lines: str | None
    taxes: str | None
    fees: Mapping[Category, tuple[int, int]]
    has_late: bool
    daily: Mapping[int, Mapping[date, Decimal]]


def with_two_before(
    organisation: Organisation, month: BillingMonth, zone: ZoneInfo
) -> tuple[MonthRow, MonthRow, MonthRow]:
    """Return the month and the two before it.

    Only the first comes with its lines. Its days come with it, and those of the second if it is open.
    """
    months = (month, month.previous, month.previous.previous)
    with statements.prepared() as cursor:
        cursor.execute(
            """
            SELECT b.billed_at, b.facts::text, b.credit::text,
                   v.public_id, v.number, v.issued_on, COALESCE(v.gross, 0),
                   (SELECT jsonb_agg(jsonb_build_array(i.kind, i.month, i.name_ja, i.name_en,
                               i.plan_version_id, i.meter_id, i.quantity::text, i.net, i.tax_code,
                               i.explanation) ORDER BY i.position)
                    FROM billing_invoiceline i
                    WHERE i.invoice_id = v.id AND m.month = %(month)s)::text,
                   (SELECT jsonb_agg(jsonb_build_array(t.tax_code, t.rate::text, t.net, t.tax)
                               ORDER BY t.tax_code)
                    FROM billing_taxsummary t
                    WHERE t.invoice_id = v.id AND m.month = %(month)s)::text,
                   (SELECT jsonb_agg(jsonb_build_array(s.category, s.plan_version_id, s.steps))
                    FROM plans_selection s
                    WHERE b.month IS NULL AND s.organisation_id = %(id)s AND s.from_at < m.at
                      AND m.month < COALESCE(%(closed)s::date, 'infinity')
                      AND (s.until_at IS NULL OR s.until_at > m.at
                           OR (s.until_at = m.at AND EXISTS (
                               SELECT 1 FROM plans_selection n
                               WHERE n.organisation_id = s.organisation_id
                                 AND n.category = s.category AND n.from_at = m.at))))::text,
                   b.month IS NULL AND EXISTS (
                       SELECT FROM usage_usagerevision u
                       LEFT JOIN billing_ratedrevision r USING (organisation_id, month)
                       WHERE u.organisation_id = %(id)s AND u.month < m.month
                         AND u.revision > COALESCE(r.revision, 0)),
                   (SELECT json_agg(json_build_array(d.meter_id, d.day, d.quantity::text))
                    FROM usage_dailyusage d
                    WHERE d.organisation_id = %(id)s
                      AND (m.month = %(month)s OR (m.month = %(previous)s AND b.month IS NULL))
                      AND d.day >= m.month AND d.day < (m.month + interval '1 month')::date)::text
            FROM (VALUES (%(month)s::date, %(month_at)s::timestamptz),
                         (%(previous)s, %(previous_at)s),
                         (%(before)s, %(before_at)s)) AS m(month, at)
            LEFT JOIN billing_billedmonth b ON b.organisation_id = %(id)s AND b.month = m.month
            LEFT JOIN billing_invoice v ON v.id = b.invoice_id
            ORDER BY m.month DESC
            """,
            {
                "id": organisation.pk,
                "closed": organisation.closed_on,
                "month": months[0].first_day,
                "month_at": months[0].starts_at(zone),
                "previous": months[1].first_day,
                "previous_at": months[1].starts_at(zone),
                "before": months[2].first_day,
                "before_at": months[2].starts_at(zone),
            },
        )
        this, previous, before = (
            _row(each, *row) for each, row in zip(months, cursor.fetchall(), strict=True)
        )
    return this, previous, before


def _row(
    month: BillingMonth,
    billed_at: datetime | None,
    facts: str | None,
    credit: str | None,
    public_id: UUID | None,
    number: int | None,
    issued_on: date | None,
    gross: int,
    lines: str | None,
    taxes: str | None,
    fees: str | None,
    has_late: bool,
    usage: str | None,
) -> MonthRow:
    daily: dict[int, dict[date, Decimal]] = {}
    for meter_id, day, quantity in orjson.loads(usage or "[]"):
        daily.setdefault(meter_id, {})[date.fromisoformat(day)] = Decimal(quantity)
    invoice = None
    if public_id is not None and number is not None and issued_on is not None:
        invoice = IssuedAs(public_id, number, issued_on)
    return MonthRow(
        month=month,
        billed_at=billed_at,
        facts=facts,
        credit={TaxCode(code): net for code, net in orjson.loads(credit or "{}").items()},
        invoice=invoice,
        gross=gross,
        lines=lines,
        taxes=taxes,
        fees={
            Category(category): (version_id, steps)
            for category, version_id, steps in orjson.loads(fees or "[]")
        },
        has_late=has_late,
        daily=daily,
    )
