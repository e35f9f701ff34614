"""What plans have to say of whether the books are sound. Reads only; core.books asks. Rule: I16."""

from core.books import Check, by_sql

_ZONE = "(SELECT time_zone FROM plans_vendorversion ORDER BY number DESC LIMIT 1)"


def _after(months: str) -> str:
    """Return the day after that many months from the anchor (Civil Code, article 143)."""
    month = f"(date_trunc('month', c.anchor_on::timestamp) + make_interval(months => {months}))"
    return (
        f"LEAST({month} + make_interval(days => extract(day FROM c.anchor_on)::int - 1),"
        f" {month} + interval '1 month')::date"
    )


def _starts(day: str) -> str:
    return f"(({day})::timestamp AT TIME ZONE {_ZONE})"


# The standing contracts of an organisation, with the paid and the whole licence beside them.
_COVERED = f"""
    WITH term AS (
        SELECT c.*, {_starts("c.first_on")} AS begins_at, {_starts("c.first_on + 1")} AS second_day_at,
            {_starts("LEAST(c.end_on, c.cut_on, o.closed_on)")} AS ends_at, o.closed_on
        FROM plans_maincontract c JOIN accounts_organisation o ON o.id = c.organisation_id
        WHERE c.withdrawn_at IS NULL
    ), had AS (
        SELECT s.organisation_id, min(s.from_at) AS since,
            range_agg(tstzrange(s.from_at, s.until_at)) AS at_all,
            range_agg(tstzrange(s.from_at, s.until_at)) FILTER (WHERE NOT p.is_free) AS paid
        FROM plans_selection s JOIN plans_planversion v ON v.id = s.plan_version_id
            JOIN plans_plan p ON p.id = v.plan_id
        WHERE s.category = 'licence'
            AND s.organisation_id IN (SELECT organisation_id FROM plans_maincontract)
        GROUP BY s.organisation_id
    )
"""  # noqa: S608 - names of our own

DAYS = by_sql(
    "I16",
    "the days of a main contract are not those of its months",
    f"""
    SELECT c.id AS contract, c.first_on, c.end_on FROM plans_maincontract c
    WHERE c.end_on >= %(since)s
        AND (c.first_on, c.end_on) IS DISTINCT FROM
            (CASE WHEN c.months_before = 0 THEN c.anchor_on ELSE {_after("c.months_before")} END,
             {_after("c.months_before + c.months")})
    """,  # noqa: S608 - names of our own
)

CHAIN = by_sql(
    "I16",
    "a renewal has no term before it",
    """
    SELECT c.id AS contract FROM plans_maincontract c
    WHERE c.withdrawn_at IS NULL AND c.months_before > 0 AND c.end_on >= %(since)s
        AND NOT EXISTS (
            SELECT FROM plans_maincontract b
            WHERE b.organisation_id = c.organisation_id AND b.withdrawn_at IS NULL
                AND b.anchor_on = c.anchor_on AND b.end_on = c.first_on
                AND b.months_before + b.months = c.months_before)
    """,
)

# On its first day the free plan may hold until the order is placed.
PAID = by_sql(
    "I16",
    "a main contract's term is not paid for throughout",
    f"""
    {_COVERED}
    SELECT term.id AS contract FROM term LEFT JOIN had USING (organisation_id)
    WHERE term.end_on >= %(since)s
        AND term.ends_at > term.begins_at
        AND NOT tstzmultirange(tstzrange(
                CASE WHEN term.months_before = 0 THEN LEAST(term.second_day_at, term.ends_at)
                     ELSE term.begins_at END,
                term.ends_at))
            <@ COALESCE(had.paid, '{{}}')
    """,  # noqa: S608 - names of our own
)

GAP = by_sql(
    "I16",
    "from a main contract on, there is a time without any licence plan",
    f"""
    {_COVERED}, since AS (
        SELECT organisation_id, min(begins_at) AS begins_at, min(closed_on) AS closed_on
        FROM term GROUP BY organisation_id
    )
    SELECT since.organisation_id AS organisation FROM since LEFT JOIN had USING (organisation_id)
    LEFT JOIN (
        SELECT organisation_id, range_agg(tstzrange({_starts("left_on")}, back_at)) AS during
        FROM accounts_absence GROUP BY organisation_id) absent USING (organisation_id)
    WHERE NOT tstzmultirange(tstzrange(
            GREATEST(since.begins_at, had.since),
            CASE WHEN since.closed_on IS NOT NULL
                 THEN GREATEST(since.begins_at, had.since, {_starts("since.closed_on")}) END))
        <@ (COALESCE(had.at_all, '{{}}') + COALESCE(absent.during, '{{}}'))
    """,  # noqa: S608 - names of our own
)

BEYOND = by_sql(
    "I16",
    "a plan is paid for beyond its main contract",
    f"""
    {_COVERED}, terms AS (
        SELECT organisation_id, min(begins_at) AS begins_at,
            range_agg(tstzrange(begins_at, {_starts("COALESCE(cut_on, end_on)")})) AS during
        FROM term GROUP BY organisation_id
    )
    SELECT terms.organisation_id AS organisation FROM terms JOIN had USING (organisation_id)
    WHERE NOT (had.paid * tstzmultirange(tstzrange(terms.begins_at, NULL))) <@ terms.during
    """,  # noqa: S608 - names of our own
)

# Who leaves the plan at that instant keeps the old price to the last.
REACHED = by_sql(
    "B-02",
    "a price change for everybody did not reach an organisation in time",
    f"""
    SELECT c.id AS price_change, s.organisation_id AS organisation
    FROM plans_pricechange c JOIN plans_planversion v ON v.id = c.version_id
        JOIN plans_planversion older ON older.plan_id = v.plan_id AND older.number < v.number
        JOIN plans_selection s ON s.plan_version_id = older.id
        JOIN accounts_organisation o ON o.id = s.organisation_id
    WHERE c.withdrawn_at IS NULL AND c.effective_on >= %(since)s
        AND {_starts("c.effective_on")} <= %(now)s
        AND s.from_at <= {_starts("c.effective_on")}
        AND (s.until_at IS NULL OR s.until_at > {_starts("c.effective_on")})
        AND (o.closed_on IS NULL OR o.closed_on > c.effective_on)
    """,  # noqa: S608 - names of our own
    timed=True,
)

CHECKS: tuple[Check, ...] = (DAYS, CHAIN, PAID, GAP, BEYOND, REACHED)
