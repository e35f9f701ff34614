"""Whose plans, terms, spot contracts or time as a customer began or ended, by date alone.

Rule: domain.md 3.1, S1-25.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from accounts.models import Organisation
from accounts.services import ENTITLEMENTS_CHANGED

_PASSED = """
    SELECT b.organisation_id FROM (
        SELECT organisation_id, max(at) AS at FROM (
            SELECT organisation_id, from_at AS at FROM plans_selection
                WHERE from_at > %(since)s AND from_at <= %(now)s
            UNION ALL
            SELECT organisation_id, until_at FROM plans_selection
                WHERE until_at > %(since)s AND until_at <= %(now)s
            UNION ALL
            SELECT organisation_id, first_on::timestamp AT TIME ZONE %(zone)s FROM plans_maincontract
                WHERE withdrawn_at IS NULL AND first_on > %(day)s AND first_on <= %(today)s
            UNION ALL
            SELECT organisation_id, end_on::timestamp AT TIME ZONE %(zone)s FROM plans_maincontract
                WHERE withdrawn_at IS NULL AND end_on > %(day)s AND end_on <= %(today)s
            UNION ALL
            SELECT organisation_id, first_on::timestamp AT TIME ZONE %(zone)s
                FROM spot_orders_spotorder
                WHERE state = 'paid' AND first_on > %(day)s AND first_on <= %(today)s
            UNION ALL
            SELECT organisation_id, COALESCE(cut_on, end_on)::timestamp AT TIME ZONE %(zone)s
                FROM spot_orders_spotorder
                WHERE state = 'paid' AND COALESCE(cut_on, end_on) > %(day)s
                    AND COALESCE(cut_on, end_on) <= %(today)s
            UNION ALL
            SELECT id, customer_since::timestamp AT TIME ZONE %(zone)s FROM accounts_organisation
                WHERE customer_since > %(day)s AND customer_since <= %(today)s
            UNION ALL
            SELECT id, closed_on::timestamp AT TIME ZONE %(zone)s FROM accounts_organisation
                WHERE closed_on > %(day)s AND closed_on <= %(today)s
        ) border GROUP BY 1) b
    WHERE NOT EXISTS (SELECT FROM core_webhookdelivery d WHERE d.organisation_id = b.organisation_id
        AND d.created_at >= b.at AND d.event = %(event)s)
    ORDER BY 1
"""


def passed(since: datetime, now: datetime, zone: ZoneInfo) -> list[Organisation]:
    """Return the organisations that a border was passed of after `since`, up to `now`.

    One that was told of a change at its last border or later is left out: whoever asks because of
    that sees what holds after the border.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PASSED,
            {
                "since": since,
                "now": now,
                "day": since.astimezone(zone).date(),
                "today": now.astimezone(zone).date(),
                "zone": zone.key,
                "event": ENTITLEMENTS_CHANGED,
            },
        )
        ids = [organisation_id for (organisation_id,) in cursor.fetchall()]
    return list(Organisation.objects.filter(pk__in=ids).order_by("pk"))
