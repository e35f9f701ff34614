"""The files of an archive: small JSON and CSV files that programs and spreadsheets open. Rule: S1-29.

Instants are in UTC, days in the billing time zone, amounts in major units of the currency beside them.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import orjson

from accounts.enums import Role
from accounts.models import Organisation
from archives.queries import records
from billing.documents import exports
from billing.queries.invoices import Sheet
from core import money
from core.canonical import Json
from core.months import BillingMonth, last_day
from core.tables import Cell, csv_lines


def organisation(of: Organisation) -> bytes:
    return _json(
        {
            "name": of.name,
            "reference": of.reference,
            "billing_name": of.billing_name,
            "billing_postal_code": of.billing_postal_code,
            "billing_address": of.billing_address,
            "country": of.country,
            "currency": of.currency,
            "language": of.language,
            "customer_since": of.customer_since.isoformat(),
            "last_day": last_day(of.closed_on).isoformat() if of.closed_on else None,
        }
    )


def accounts(of: Organisation) -> bytes:
    header = ["name", "email", "role", "groups", "registered_at", "deactivated_at", "why"]
    groups = records.groups(of)
    return _csv(
        header,
        (
            (
                records.name_of(each),
                each.user.email,
                Role(each.role).value,
                " / ".join(groups.get(each.pk, [])),
                _instant(each.registered_at),
                _instant(each.deactivated_at),
                _why(each.deactivated_at, each.deactivation_id),
            )
            for each in records.accounts(of)
        ),
    )


def contracts(of: Organisation) -> bytes:
    """Return plans over time, main contracts and spot contracts as JSON; days shown are the last ones."""
    return _json(
        {
            "plans": [
                {
                    "category": row.category,
                    "plan": row.plan_version.plan.code,
                    "version": row.plan_version.number,
                    "steps": row.steps,
                    "from_at": _instant(row.from_at),
                    "until_at": _instant(row.until_at),
                }
                for row in records.selections(of)
            ],
            "main_contracts": [
                {
                    "first_day": row.first_on.isoformat(),
                    "last_day": last_day(row.end_on).isoformat(),
                    "months": row.months,
                    "ordered_at": _instant(row.ordered_at),
                    "withdrawn_at": _instant(row.withdrawn_at),
                }
                for row in records.main_contracts(of)
            ],
            "spot_orders": [
                {
                    "number": row.number,
                    "state": row.state,
                    "accounts": row.accounts,
                    "first_day": row.first_on.isoformat(),
                    "last_day": last_day(row.end_on).isoformat(),
                    "ended_before_its_end_on": _day(row.cut_on),
                    "months": row.months,
                    "currency": row.currency,
                    "net": _major(row.net, row.currency),
                    "tax": _major(row.tax, row.currency),
                    "gross": _major(row.gross, row.currency),
                    "placed_at": _instant(row.placed_at),
                    "paid_at": _instant(row.paid_at),
                }
                for row in records.spot_orders(of)
            ],
        }
    )


def orders(of: Organisation) -> bytes:
    """Return what was ordered, plan orders and spot orders, in the order of time."""
    rows: list[tuple[datetime, Sequence[Cell]]] = []
    for review in records.plan_orders(of):
        if review.saved_at is not None:
            what = str(review.act.get("act", ""))
            details = orjson.dumps(review.act).decode()
            rows.append((review.saved_at, (_instant(review.saved_at), what, "saved", details)))
    for order in records.spot_orders(of):
        told = f"{order.number}: +{order.accounts}, {order.first_on} / {order.months}"
        rows.append((order.placed_at, (_instant(order.placed_at), "add_spot", order.state, told)))
    rows.sort(key=lambda row: row[0])
    return _csv(["at", "order", "state", "details"], (cells for _, cells in rows))


def usage(of: Organisation, month: BillingMonth) -> bytes:
    return _csv(
        ["day", "meter", "unit", "quantity", "events"],
        (
            (each.day, each.meter, each.unit, Decimal(each.quantity), each.events)
            for each in records.used_in(of, month)
        ),
    )


def payments(of: Organisation) -> bytes:
    header = ["at", "kind", "document", "company", "state", "currency", "amount", "reference"]
    return _csv(header, _payments(of))


def document(sheet: Sheet) -> bytes:
    """Return an issued document as JSON, as `export_invoices` writes it."""
    return "".join(exports.as_json([sheet])).encode()


def _payments(of: Organisation) -> Iterator[Sequence[Cell]]:
    for charge in records.charges(of):
        yield (
            _instant(charge.decided_at or charge.created_at),
            "charge",
            charge.number,
            charge.gateway,
            charge.state,
            charge.currency,
            Decimal(_major(charge.amount, charge.currency)),
            charge.capture,
        )
    for refund in records.refunds(of):
        yield (
            _instant(refund.decided_at or refund.created_at),
            refund.kind,
            refund.charge.number,
            refund.charge.gateway,
            refund.state,
            refund.currency,
            -Decimal(_major(refund.amount, refund.currency)),
            refund.reference,
        )


def _why(deactivated_at: datetime | None, deactivation_id: int | None) -> str:
    if deactivated_at is None:
        return ""
    return "auto_deactivation" if deactivation_id is not None else "by_hand"


def _csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    return "".join(csv_lines(header, rows, bom=True)).encode()


def _json(value: dict[str, Json]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def _instant(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _day(day: object) -> str | None:
    return str(day) if day else None


def _major(amount: int, currency: str) -> str:
    return f"{Decimal(amount).scaleb(-money.exponent(currency)):f}"
