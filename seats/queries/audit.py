"""What seats have to say of whether the books are sound. Reads only; core.books asks. Rule: I11, I14.

Capacity is computed here a second time, in the database's own words.
"""

from core.books import Check, by_sql
from core.enums import WorkState
from seats import jobs

_TODAY = """
    (SELECT (%(now)s::timestamptz AT TIME ZONE time_zone)::date
     FROM plans_vendorversion ORDER BY number DESC LIMIT 1)
"""
_ENDED = f"""
    SELECT organisation_id, COALESCE(cut_on, end_on) AS ended_on FROM spot_orders_spotorder
    WHERE state = 'paid' AND ended_at IS NULL AND COALESCE(cut_on, end_on) <= {_TODAY}
    UNION ALL
    SELECT organisation_id, COALESCE(cut_on, end_on) FROM plans_maincontract
    WHERE withdrawn_at IS NULL AND ended_at IS NULL AND COALESCE(cut_on, end_on) <= {_TODAY}
    UNION ALL
    SELECT id, closed_on FROM accounts_organisation
    WHERE closed_on <= {_TODAY} AND accounts_ended_on IS DISTINCT FROM closed_on
"""  # noqa: S608 - names of our own

WITHIN_CAPACITY = by_sql(
    "I11",
    "more accounts are active than the contracts allow",
    f"""
    WITH in_use AS (
        SELECT organisation_id, count(*) AS count FROM accounts_membership
        WHERE deactivated_at IS NULL GROUP BY 1 HAVING count(*) > 1
    ), allowed AS (
        SELECT o.id, CASE
            WHEN o.closed_on <= {_TODAY} THEN 1
            WHEN s.id IS NOT NULL AND v.accounts_per_step IS NULL THEN NULL
            ELSE GREATEST(1, COALESCE(v.accounts_per_step * s.steps, 0) + COALESCE(
                (SELECT sum(p.accounts) FROM spot_orders_spotorder p
                 WHERE p.organisation_id = o.id AND p.state = 'paid' AND p.first_on <= {_TODAY}
                    AND p.paid_at <= %(now)s AND COALESCE(p.cut_on, p.end_on) > {_TODAY}), 0))
            END AS count
        FROM accounts_organisation o
        LEFT JOIN plans_selection s ON s.organisation_id = o.id AND s.category = 'licence'
            AND s.from_at <= %(now)s AND (s.until_at IS NULL OR s.until_at > %(now)s)
        LEFT JOIN plans_planversion v ON v.id = s.plan_version_id
        WHERE o.id IN (SELECT organisation_id FROM in_use)
            AND EXISTS (SELECT FROM plans_selection h
                WHERE h.organisation_id = o.id AND h.category = 'licence')
    )
    SELECT a.id AS organisation, u.count AS in_use, a.count AS allowed
    FROM allowed a JOIN in_use u ON u.organisation_id = a.id
    WHERE u.count > a.count AND NOT EXISTS (SELECT FROM ({_ENDED}) e WHERE e.organisation_id = a.id)
    ORDER BY 1
    """,  # noqa: S608 - names of our own
    timed=True,
)

CARRIED_OUT = by_sql(
    "I14",
    "an end of a contract has not been carried out for a day, and waits for nobody",
    f"""
    SELECT e.organisation_id AS organisation, min(e.ended_on) AS ended_on FROM ({_ENDED}) e
    WHERE e.ended_on < {_TODAY}
        AND NOT EXISTS (SELECT FROM core_work w WHERE w.kind = '{jobs.SETTLE_ALONE.kind}'
            AND w.key = e.organisation_id::text AND w.state = '{WorkState.PARKED.value}')
    GROUP BY 1 ORDER BY 1
    """,  # noqa: S608 - names of our own
    timed=True,
)

BELONGS = by_sql(
    "I14",
    "an account names a deactivation that is not its organisation's, or the root's account does",
    """
    SELECT m.organisation_id AS organisation, m.id AS membership, m.deactivation_id AS deactivation
    FROM accounts_membership m
    LEFT JOIN seats_deactivation d
        ON d.id = m.deactivation_id AND d.organisation_id = m.organisation_id
    WHERE m.deactivation_id IS NOT NULL
        AND (d.id IS NULL OR m.role = 'root' OR m.deactivated_at < d.due_at)
    ORDER BY 2
    """,
)

COUNTED = by_sql(
    "I14",
    "a deactivation does not account for everybody whom it took",
    """
    SELECT d.organisation_id AS organisation, d.id AS deactivation, d.count,
        named.count AS named, back.count AS back_or_deleted
    FROM seats_deactivation d
    CROSS JOIN LATERAL (SELECT count(*) FROM accounts_membership m
        WHERE m.organisation_id = d.organisation_id AND m.deactivation_id = d.id) named
    CROSS JOIN LATERAL (SELECT count(*) FROM core_auditentry e
        WHERE e.chain = d.organisation_id
            AND e.action IN ('membership.reactivated', 'membership.deleted')
            AND e.details ->> 'deactivation' = d.id::text) back
    WHERE d.at >= %(since)s AND d.count <> named.count + back.count
    ORDER BY 2
    """,
)

RECORDED = by_sql(
    "I14",
    "a deactivation is not in the trail",
    """
    SELECT d.organisation_id AS organisation, d.id AS deactivation FROM seats_deactivation d
    WHERE d.at >= %(since)s AND NOT EXISTS (SELECT FROM core_auditentry e
        WHERE e.chain = d.organisation_id AND e.action = 'accounts.deactivated_by_end'
            AND e.subject = 'deactivation:' || d.id)
    ORDER BY 2
    """,
)

# A session that is saved while its account leaves is ended by the next tick.
SIGNED_OUT = by_sql(
    "I14",
    "somebody whose account was deactivated is still signed in",
    """
    SELECT s.user_id AS "user" FROM accounts_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE NOT u.is_staff AND s.expire_date > %(now)s
        AND EXISTS (SELECT FROM accounts_membership m
            WHERE m.user_id = s.user_id AND m.deactivated_at < %(now)s - interval '5 minutes')
        AND NOT EXISTS (SELECT FROM accounts_membership m
            WHERE m.user_id = s.user_id AND m.deactivated_at IS NULL)
    ORDER BY 1
    """,
    timed=True,
)

CHECKS: tuple[Check, ...] = (
    WITHIN_CAPACITY,
    CARRIED_OUT,
    BELONGS,
    COUNTED,
    RECORDED,
    SIGNED_OUT,
)
