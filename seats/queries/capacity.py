"""What organisations may have, read from their contracts. Rule: domain.md 3.5."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from accounts.models import Organisation
from core.ids import array
from core.months import start_of_day
from plans import queries as plans
from plans.enums import Category
from seats.rules.capacity import Capacity, Main, Spot
from spot_orders.enums import SpotState

_MAIN = """
    SELECT s.organisation_id, v.accounts_per_step * s.steps, s.from_at, s.until_at
    FROM plans_selection s JOIN plans_planversion v ON v.id = s.plan_version_id
    WHERE s.organisation_id = ANY(%s::bigint[]) AND s.category = %s
    ORDER BY s.organisation_id, s.from_at
"""
_SPOTS = """
    SELECT organisation_id, id, accounts, first_on, COALESCE(cut_on, end_on), paid_at
    FROM spot_orders_spotorder
    WHERE organisation_id = ANY(%s::bigint[]) AND state = %s
    ORDER BY organisation_id, first_on, id
"""
_CLOSED = """
    SELECT id, closed_on FROM accounts_organisation
    WHERE id = ANY(%s::bigint[]) AND closed_on IS NOT NULL
"""


def capacities(organisation_ids: Iterable[int]) -> dict[int, Capacity]:
    """Return what each organisation may have over time, in three statements.

    A spot contract that was paid in the course of its first day holds from that instant on, so that what
    held at an instant never becomes another thing afterwards. Rule: S2-28.
    """
    ids = list(organisation_ids)
    zone = plans.vendor_zone()
    main: dict[int, list[Main]] = defaultdict(list)
    spots: dict[int, list[Spot]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_MAIN, [array(ids), Category.LICENCE.value])
        for organisation_id, accounts, from_at, until_at in cursor.fetchall():
            main[organisation_id].append(Main(accounts, from_at, until_at))
        cursor.execute(_SPOTS, [array(ids), SpotState.PAID.value])
        for organisation_id, order_id, accounts, first_on, until_on, paid_at in cursor.fetchall():
            from_at = max(start_of_day(first_on, zone), paid_at)
            until_at = start_of_day(until_on, zone)
            if until_at > from_at:
                spots[organisation_id].append(Spot(order_id, accounts, from_at, until_at))
        cursor.execute(_CLOSED, [array(ids)])
        closed = {pk: start_of_day(day, zone) for pk, day in cursor.fetchall()}
    return {each: Capacity(tuple(main[each]), tuple(spots[each]), closed.get(each)) for each in ids}


def capacity(organisation: Organisation) -> Capacity:
    """Return what an organisation may have over time."""
    return capacities([organisation.pk])[organisation.pk]


def allowed_at(organisation: Organisation, instant: datetime) -> int | None:
    """Return how many accounts an organisation may have at an instant; None: any number."""
    return capacity(organisation).at(instant)
