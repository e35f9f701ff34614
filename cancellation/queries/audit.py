"""What this room has to say of whether the books are sound. Reads only; core.books asks. Rule: I22."""

from collections.abc import Iterator, Mapping

from cancellation.models import Review
from cancellation.rules import binding
from core.books import Check, Scope, by_sql

_ZONE = "(SELECT time_zone FROM plans_vendorversion ORDER BY number DESC LIMIT 1)"


def _starts(day: str) -> str:
    return f"(({day})::timestamp AT TIME ZONE {_ZONE})"


_ENDED = "c.closed_at IS NOT NULL AND c.reopened_at IS NULL"
# When organisations were no customers: since a last day, or between one and a return.
_AWAY = f"""
    WITH away AS (
        SELECT c.organisation_id, c.end_on AS left_on, NULL::timestamptz AS back_at
        FROM cancellation_cancellation c WHERE {_ENDED}
        UNION ALL SELECT organisation_id, left_on, back_at FROM accounts_absence
    )
"""  # noqa: S608 - names of our own

STANDS = by_sql(
    "I22",
    "the last day of a cancellation that stands is not the organisation's",
    """
    SELECT c.id AS cancellation, o.id AS organisation, c.end_on, o.closed_on
    FROM cancellation_cancellation c JOIN accounts_organisation o ON o.id = c.organisation_id
    WHERE c.withdrawn_at IS NULL AND c.reopened_at IS NULL AND o.closed_on IS DISTINCT FROM c.end_on
    """,
)

LEFT_OVER = by_sql(
    "I22",
    "an organisation ends although its cancellation was withdrawn, or it came back",
    """
    SELECT o.id AS organisation, o.closed_on FROM accounts_organisation o
    WHERE o.closed_on IS NOT NULL
        AND EXISTS (SELECT FROM cancellation_cancellation c WHERE c.organisation_id = o.id)
        AND NOT EXISTS (SELECT FROM cancellation_cancellation c WHERE c.organisation_id = o.id
            AND c.withdrawn_at IS NULL AND c.reopened_at IS NULL)
    """,
)

SERVICE = by_sql(
    "I22",
    "a fee or usage is billed for a month after the contract's end",
    f"""
    {_AWAY}
    SELECT i.id AS invoice, i.organisation_id AS organisation, l.month, l.kind
    FROM away JOIN billing_invoice i ON i.organisation_id = away.organisation_id
        JOIN billing_invoiceline l ON l.invoice_id = i.id
    WHERE i.kind = 'monthly' AND i.month >= %(since)s AND l.kind IN ('fee', 'usage')
        AND l.month >= away.left_on
        AND (away.back_at IS NULL OR {_starts("l.month")} < away.back_at)
        AND (l.kind = 'fee' OR away.back_at IS NULL
             OR {_starts("(l.month + interval '1 month')::date")} <= away.back_at)
    """,  # noqa: S608 - names of our own
)

SELECTED = by_sql(
    "I22",
    "a plan, a main contract or a spot contract goes on after the contract's end",
    f"""
    SELECT c.id AS cancellation, c.organisation_id AS organisation, s.id AS selection,
        NULL::bigint AS contract, NULL::bigint AS spot
    FROM cancellation_cancellation c JOIN plans_selection s ON s.organisation_id = c.organisation_id
    WHERE {_ENDED} AND (s.until_at IS NULL OR s.until_at > {_starts("c.end_on")})
    UNION ALL
    SELECT c.id, c.organisation_id, NULL, m.id, NULL
    FROM cancellation_cancellation c JOIN plans_maincontract m ON m.organisation_id = c.organisation_id
    WHERE {_ENDED} AND m.withdrawn_at IS NULL AND COALESCE(m.cut_on, m.end_on) > c.end_on
    UNION ALL
    SELECT c.id, c.organisation_id, NULL, NULL, s.id
    FROM cancellation_cancellation c
        JOIN spot_orders_spotorder s ON s.organisation_id = c.organisation_id
    WHERE {_ENDED} AND s.state = 'paid'
        AND GREATEST(COALESCE(s.cut_on, s.end_on), s.first_on) > GREATEST(c.end_on, s.first_on)
    """,  # noqa: S608 - names of our own
)

# What its customer pays by themselves afterwards, at once or by a method registered anew, is their doing.
CHARGED = by_sql(
    "I22",
    "something is charged by a method that the final settlement let go",
    """
    SELECT h.id AS charge, c.id AS cancellation, c.organisation_id AS organisation
    FROM cancellation_cancellation c JOIN payments_charge h ON h.organisation_id = c.organisation_id
        JOIN payments_paymentmethod m ON m.id = h.method_id
    WHERE h.created_at > c.settled_at AND m.active_since <= c.settled_at
        AND (c.reopened_at IS NULL OR h.created_at < c.reopened_at)
    """,
)

SETTLED = by_sql(
    "I22",
    "a contract was settled before its last month was billed, or with a payment undecided",
    """
    SELECT c.id AS cancellation, c.organisation_id AS organisation
    FROM cancellation_cancellation c
    WHERE c.settled_at IS NOT NULL AND (
        NOT EXISTS (SELECT FROM billing_billedmonth b WHERE b.organisation_id = c.organisation_id
            AND b.month = date_trunc('month', c.end_on - 1)::date AND b.billed_at <= c.settled_at)
        OR EXISTS (SELECT FROM payments_charge h WHERE h.organisation_id = c.organisation_id
            AND h.created_at <= c.settled_at AND COALESCE(h.decided_at, 'infinity') > c.settled_at))
    """,
)

LATE = by_sql(
    "I22",
    "what was contracted goes on a day after the last day",
    f"""
    SELECT c.id AS cancellation, c.organisation_id AS organisation, c.end_on
    FROM cancellation_cancellation c
    WHERE c.withdrawn_at IS NULL AND c.closed_at IS NULL
        AND {_starts("c.end_on")} + interval '1 day' < %(now)s
    """,  # noqa: S608 - names of our own
    timed=True,
)


def _altered(scope: Scope) -> Iterator[Mapping[str, object]]:
    found = Review.objects.filter(cancellation__isnull=False, created_at__gte=scope.first_instant)
    for review in found.order_by("pk").iterator():
        if binding.digest(review.shown) != bytes(review.digest):
            yield {"review": review.pk, "organisation": review.organisation_id}


SHOWN = Check("I22", "what was shown before a cancellation is not what its digest says", _altered)

CHECKS: tuple[Check, ...] = (
    STANDS,
    LEFT_OVER,
    SERVICE,
    SELECTED,
    CHARGED,
    SETTLED,
    LATE,
    SHOWN,
)
