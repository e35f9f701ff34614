"""Whose month is over and not billed yet. Rule: B-01, R1."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from billing.enums import InvoiceKind, ParkReason
from core.ids import array
from core.months import BillingMonth

RECENT = 6


@dataclass(frozen=True, slots=True)
class Pages:
    """The lowest month that anybody is to be billed for, and for how many in which blocks of ids."""

    month: BillingMonth
    blocks: Sequence["Block"]


class Block(NamedTuple):
    """Organisations by id, both included, and how many of them are to be billed."""

    first_id: int
    last_id: int
    organisations: int


class Customer(NamedTuple):
    """What issuing needs of an organisation besides the facts of its month.

    `seq`, `digest`: the head of its audit chain; `recent`: gross of its last invoices; `accepted`:
    staff have released this month after it was found to be far above the usual.
    """

    id: int
    reference: str
    billing_name: str
    billing_postal_code: str
    billing_address: str
    country: str
    currency: str
    language: str
    payment_terms: str
    seq: int
    digest: bytes
    recent: list[int]
    accepted: bool


# Usage of an organisation came in after its month was billed, and is on no bill yet (B-08).
_LATE = """
    (SELECT max(u.month) FROM usage_usagerevision u
        LEFT JOIN billing_ratedrevision r USING (organisation_id, month)
        WHERE u.organisation_id = o.id AND u.revision > COALESCE(r.revision, 0)) IS NOT NULL
"""
# An organisation is billed for its first month, and then for each month after one that is billed; one
# that has left, for as long as usage of its time has no bill to go to; one whose automatic invoicing
# is off waits (R11). Subqueries that yield a value are looked up for each organisation by key: an
# EXISTS would be joined with all that was ever billed.
_DUE = f"""
    o.id BETWEEN %(first_id)s AND %(last_id)s AND NOT o.auto_invoicing_off
    AND (o.closed_on IS NULL OR o.closed_on > %(month)s OR {_LATE})
    AND COALESCE(
        (SELECT max(b.month) FROM billing_billedmonth b WHERE b.organisation_id = o.id) = %(before)s,
        o.customer_since >= %(month)s AND o.customer_since < %(end)s)
    AND (SELECT min(p.month) FROM billing_parkedorganisation p
        WHERE p.organisation_id = o.id AND p.released_at IS NULL) IS NULL
"""  # noqa: S608


def last_over_month(now: datetime, zone: ZoneInfo, grace: timedelta) -> BillingMonth:
    """Return the newest month whose end, and the grace for late usage, have passed by `now`."""
    return BillingMonth.containing(now - grace, zone).previous


def next_pages(last: BillingMonth, page: int) -> Pages | None:
    """Return what is to be billed next, no month after `last`; None if everybody is billed.

    Blocks are fixed ranges of `page` ids, so that asking twice names the same work. Parked
    organisations are left out, with all their later months.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH owed AS (
                SELECT o.id, o.customer_since, LEAST(%(last)s::date,
                    CASE WHEN o.closed_on IS NOT NULL AND NOT {_LATE}
                        THEN date_trunc('month', (o.closed_on - 1)::timestamp)::date END) AS until
                FROM accounts_organisation o WHERE NOT o.auto_invoicing_off
            ), unbilled AS (
                SELECT w.id, w.until, COALESCE(
                    ((SELECT max(b.month) FROM billing_billedmonth b WHERE b.organisation_id = w.id)
                        + interval '1 month')::date,
                    date_trunc('month', w.customer_since::timestamp)::date) AS month
                FROM owed w
                WHERE NOT EXISTS (SELECT 1 FROM billing_billedmonth b
                        WHERE b.organisation_id = w.id AND b.month = w.until)
                  AND NOT EXISTS (SELECT 1 FROM billing_parkedorganisation p
                        WHERE p.organisation_id = w.id AND p.released_at IS NULL)
            ), due AS (
                SELECT id, month, min(month) OVER () AS lowest FROM unbilled WHERE month <= until
            )
            SELECT month, id / %(page)s AS block, count(*) FROM due WHERE month = lowest
            GROUP BY 1, 2 ORDER BY 2
            """,  # noqa: S608
            {"last": last.first_day, "page": page},
        )
        rows: list[tuple[date, int, int]] = cursor.fetchall()
    if not rows:
        return None
    return Pages(
        BillingMonth.of_day(rows[0][0]),
        [Block(block * page, block * page + page - 1, count) for _, block, count in rows],
    )


def blocks_of(month: BillingMonth, page: int) -> list[Block]:
    """Return the blocks of organisations that are to be billed for `month` now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT o.id / %(page)s, count(*) FROM accounts_organisation o WHERE {_DUE}
            GROUP BY 1 ORDER BY 1
            """,  # noqa: S608
            {**_bounds(month, 0, 2**62), "page": page},
        )
        return [
            Block(block * page, block * page + page - 1, count)
            for block, count in cursor.fetchall()
        ]


def due_ids(month: BillingMonth, first_id: int, last_id: int, *, lock: bool) -> list[int]:
    """Return which organisations of a block are to be billed for `month`, in order.

    With `lock` they are locked until the transaction ends; a row that had to be waited for may
    have been billed meanwhile, so `customers` looks once more. Rule: R5.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT o.id FROM accounts_organisation o WHERE {_DUE} ORDER BY o.id"  # noqa: S608
            + (" FOR NO KEY UPDATE OF o" if lock else ""),
            _bounds(month, first_id, last_id),
        )
        return [organisation_id for (organisation_id,) in cursor.fetchall()]


def customers(organisation_ids: Sequence[int], month: BillingMonth) -> list[Customer]:
    """Return those of these organisations whose `month` is not billed, in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.id, o.reference, o.billing_name, o.billing_postal_code, o.billing_address,
                o.country, o.currency, o.language, o.payment_terms,
                COALESCE(a.seq, 0), a.digest,
                ARRAY(SELECT i.gross FROM billing_invoice i
                    WHERE i.organisation_id = o.id AND i.kind = %(kind)s
                    ORDER BY i.month DESC LIMIT %(recent)s),
                EXISTS (SELECT 1 FROM billing_parkedorganisation p
                    WHERE p.organisation_id = o.id AND p.month = %(month)s
                      AND p.reason = %(reason)s AND p.released_at IS NOT NULL)
            FROM accounts_organisation o
            LEFT JOIN LATERAL (SELECT e.seq, e.digest FROM core_auditentry e
                WHERE e.chain = o.id ORDER BY e.seq DESC LIMIT 1) a ON true
            WHERE o.id = ANY(%(ids)s::bigint[]) AND (SELECT b.month FROM billing_billedmonth b
                WHERE b.organisation_id = o.id AND b.month = %(month)s) IS NULL
            ORDER BY o.id
            """,
            {
                "ids": array(organisation_ids),
                "month": month.first_day,
                "kind": InvoiceKind.MONTHLY.value,
                "recent": RECENT,
                "reason": ParkReason.FAR_ABOVE_USUAL.value,
            },
        )
        return [Customer._make(row) for row in cursor.fetchall()]


def _bounds(month: BillingMonth, first_id: int, last_id: int) -> dict[str, date | int]:
    return {
        "first_id": first_id,
        "last_id": last_id,
        "month": month.first_day,
        "before": month.previous.first_day,
        "end": month.next.first_day,
    }
