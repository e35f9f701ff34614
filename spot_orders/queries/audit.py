"""What spot orders have to say of whether the books are sound. Reads only. Rule: I10, I12, I13."""

from core.books import Check, by_sql
from spot_orders.enums import SPOT_MOVES, SpotState

_ORDER = "s.id AS spot_order, s.organisation_id AS organisation"
# The name of a move in the trail is that of the state it leads to.
_MOVES = ", ".join(f"'spot_order.{state}'" for state in SpotState)
_ALLOWED = ", ".join(
    f"('spot_order.{before}', 'spot_order.{after}')"
    for before, to in sorted(SPOT_MOVES.items())
    for after in sorted(to)
)


def _after(months: str) -> str:
    """Return the day after that many months from the first one (Civil Code, article 143)."""
    month = f"(date_trunc('month', s.first_on::timestamp) + make_interval(months => {months}))"
    return (
        f"LEAST({month} + make_interval(days => extract(day FROM s.first_on)::int - 1),"
        f" {month} + interval '1 month')::date"
    )


# Each month as it was frozen: its place (from 1), first day, version, steps, net a step.
_MONTHS = """
    CROSS JOIN LATERAL (
        SELECT m.place, (m.month ->> 0)::date AS first_on, (m.month ->> 1)::bigint AS version_id,
            (m.month ->> 2)::bigint AS steps, (m.month ->> 3)::bigint AS unit_net
        FROM jsonb_array_elements(s.priced) WITH ORDINALITY AS m (month, place)
    ) month
"""

DAYS = by_sql(
    "I12",
    "the days of a spot order are not those of its whole months",
    f"""
    SELECT {_ORDER}, s.first_on, s.months, s.end_on FROM spot_orders_spotorder s
    WHERE s.end_on >= %(since)s
        AND (s.end_on IS DISTINCT FROM {_after("s.months")}
             OR jsonb_array_length(s.priced) IS DISTINCT FROM s.months
             OR EXISTS (
                SELECT FROM (SELECT 1) one {_MONTHS}
                WHERE month.first_on IS DISTINCT FROM
                    CASE WHEN month.place = 1 THEN s.first_on
                         ELSE {_after("(month.place - 1)::int")} END))
    """,  # noqa: S608 - names of our own
)

PRICE = by_sql(
    "I12",
    "a spot order does not cost its accounts' steps at the monthly prices of its plans",
    f"""
    SELECT {_ORDER}, s.net, s.tax, s.gross FROM spot_orders_spotorder s
    WHERE s.end_on >= %(since)s
        AND (s.gross IS DISTINCT FROM s.net + s.tax
             OR s.net IS DISTINCT FROM (
                SELECT sum(month.steps * month.unit_net) FROM (SELECT 1) one {_MONTHS})
             OR EXISTS (
                SELECT FROM (SELECT 1) one {_MONTHS}
                    LEFT JOIN plans_planversion v ON v.id = month.version_id
                    LEFT JOIN plans_plan p
                        ON p.id = v.plan_id AND p.category = 'licence' AND NOT p.is_free
                    LEFT JOIN plans_planprice price
                        ON price.version_id = v.id AND price.currency = s.currency
                WHERE p.id IS NULL
                    OR price.net IS DISTINCT FROM month.unit_net
                    OR s.accounts IS DISTINCT FROM month.steps * v.accounts_per_step))
    """,  # noqa: S608 - names of our own
)

# Who leaves loses what lies beyond, the main contract as the spot contract.
COVERED = by_sql(
    "I12",
    "a spot contract does not lie within the main contracts",
    f"""
    WITH main AS (
        SELECT organisation_id, range_agg(daterange(first_on, end_on)) AS days
        FROM plans_maincontract WHERE withdrawn_at IS NULL GROUP BY organisation_id
    )
    SELECT {_ORDER}, s.first_on, COALESCE(s.cut_on, s.end_on) AS until_on
    FROM spot_orders_spotorder s JOIN accounts_organisation o ON o.id = s.organisation_id
        LEFT JOIN main ON main.organisation_id = s.organisation_id
    WHERE s.state = 'paid' AND s.end_on >= %(since)s
        AND LEAST(s.cut_on, s.end_on, o.closed_on) > s.first_on
        AND NOT daterange(s.first_on, LEAST(s.cut_on, s.end_on, o.closed_on))
            <@ COALESCE(main.days, '{{}}')
    """,  # noqa: S608 - names of our own
)

STATE = by_sql(
    "I13",
    "what a spot order says of itself contradicts its state",
    f"""
    SELECT {_ORDER}, s.state FROM spot_orders_spotorder s
    WHERE s.placed_at >= %(since)s
        AND NOT COALESCE(
            (s.paid_at IS NOT NULL) = (s.state = 'paid')
            AND (s.closed_at IS NOT NULL) = (s.state IN ('lapsed', 'cancelled', 'refunded'))
            AND (s.state = 'paid' OR (s.cut_on IS NULL AND s.ended_at IS NULL))
            AND (s.replaced_by_id IS NULL OR s.state IN ('cancelled', 'refunded'))
            AND (s.cut_on IS NULL OR (s.cut_on >= s.first_on AND s.cut_on < s.end_on))
            AND s.lapses_at > s.placed_at
            AND COALESCE(s.paid_at, s.closed_at, s.placed_at) >= s.placed_at
            AND s.end_on > s.first_on,
            false)
    """,  # noqa: S608 - names of our own
)

ONE_WAITS = by_sql(
    "I13",
    "more than one spot order of an organisation waits for its payment",
    """
    SELECT s.organisation_id AS organisation, count(*) AS orders FROM spot_orders_spotorder s
    WHERE s.state = 'placed' GROUP BY s.organisation_id HAVING count(*) > 1
    """,
)

HISTORY = by_sql(
    "I10",
    "the trail of a spot order is not one of allowed moves up to its state",
    f"""
    WITH moves AS (
        SELECT chain, subject, seq, action,
            lag(action) OVER history AS before, lead(action) OVER history IS NULL AS is_last
        FROM core_auditentry WHERE action IN ({_MOVES})
        WINDOW history AS (PARTITION BY chain, subject ORDER BY seq)
    )
    SELECT {_ORDER}, s.state, m.seq, m.action
    FROM spot_orders_spotorder s
        LEFT JOIN moves m ON m.chain = s.organisation_id AND m.subject = 'spot_order:' || s.id
    WHERE s.placed_at >= %(since)s AND (
        m.seq IS NULL
        OR CASE WHEN m.before IS NULL THEN m.action <> 'spot_order.placed'
                ELSE (m.before, m.action) NOT IN ({_ALLOWED}) END
        OR (m.is_last AND m.action <> 'spot_order.' || s.state))
    ORDER BY 1, 4
    """,  # noqa: S608 - names of our own
)

CHECKS: tuple[Check, ...] = (DAYS, PRICE, COVERED, STATE, ONE_WAITS, HISTORY)
