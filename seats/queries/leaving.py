"""Who leaves when contracts end, in the one order in which accounts stay.

`_STAYING` is seats.rules.leaving.staying_order, as the settlement's statement has it too.
Rule: domain.md 3.5, design.md 6.5.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import Coalesce

from accounts.models import Membership, Organisation
from core.months import start_of_day
from plans import queries as plans
from plans.models import MainContract
from plans.queries import contracts
from plans.rules.renewals import ordered_on
from plans.rules.timeline import Term
from seats.queries.accounts import accounts_of
from seats.queries.capacity import capacities
from seats.rules.capacity import Capacity
from seats.rules.departures import STAGES, Departure, departures
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder

PAGE = 50

_STAYING = (
    """(role = 'root') DESC, is_protected DESC, leave_order DESC NULLS FIRST, registered_at, id"""
)
_RANKED = f"""
    WITH ranked AS (
        SELECT id, user_id, role, is_protected, row_number() OVER (ORDER BY {_STAYING}) AS place
        FROM accounts_membership WHERE organisation_id = %(organisation)s AND deactivated_at IS NULL
    )
"""  # noqa: S608 - the order is the constant above
_COUNTED = f"{_RANKED} SELECT count(*) FROM ranked r "  # noqa: S608 - as above
_LISTED = f"{_RANKED} SELECT r.id, r.place FROM ranked r "  # noqa: S608 - as above
_IN_USE = """
    SELECT count(*) FROM accounts_membership
    WHERE organisation_id = %(organisation)s AND deactivated_at IS NULL
"""
_FOUND = """
    JOIN accounts_user u ON u.id = r.user_id
    LEFT JOIN seats_invitation i ON i.membership_id = r.id
    WHERE (%(text)s = '' OR u.email ILIKE %(like)s OR COALESCE(i.name, u.name) ILIKE %(like)s)
      AND r.place > %(above)s AND r.place <= %(upto)s AND (%(with_root)s OR r.role <> 'root')
"""
_ALL = 2**62
_CHOSEN = """
    SELECT COALESCE(md5(string_agg(id || ':' || is_protected || ':' || COALESCE(leave_order, 0), ','
        ORDER BY id)), '')
    FROM accounts_membership
    WHERE organisation_id = %s AND deactivated_at IS NULL AND (is_protected OR leave_order IS NOT NULL)
"""


class Part(enum.StrEnum):
    """Which accounts a list has."""

    ALL = "all"
    LEAVING = "leaving"
    STAYING = "staying"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes to an organisation's accounts. `found`: as contracted, without renewals still to be ordered.

    `expected`: with the automatic one that is still to be ordered on `renews_on`, if there is one.
    """

    capacity: Capacity
    in_use: int
    found: tuple[Departure, ...]
    expected: tuple[Departure, ...]
    renews_on: date | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """An active account and its place in the staying order, 1 being the root's."""

    account: Membership
    place: int

    @property
    def name(self) -> str:
        """What the root calls the person; empty where it calls them nothing."""
        return str(getattr(self.account, "shown_name", None) or "")

    @property
    def called(self) -> str:
        return self.name or self.account.user.email


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list: how many there are in all, and those of the page, first who leaves first."""

    count: int
    rows: tuple[Placed, ...]


def outlook(
    organisation: Organisation, *, now: datetime, capacity: Capacity | None = None
) -> Outlook:
    """Return who is to leave when, as things stand. `capacity`: in place of what is contracted.

    A preview of other contracts foresees no renewal.
    """
    known = outlooks([organisation.pk], now=now)[organisation.pk]
    if capacity is None:
        return known
    found = departures(capacity, known.in_use, now)
    return Outlook(capacity, known.in_use, found, found)


def outlooks(organisation_ids: Iterable[int], *, now: datetime) -> dict[int, Outlook]:
    """Return what `outlook` does for many, in five statements."""
    ids = list(organisation_ids)
    zone = plans.vendor_zone()
    counted = (
        Membership.objects.filter(organisation__in=ids, deactivated_at=None)
        .values_list("organisation_id")
        .annotate(count=Count("pk"))
    )
    in_use = dict(counted)
    renewing = _renewing(ids)
    found = {}
    for each, capacity in capacities(ids).items():
        count = in_use.get(each, 0)
        leaving = departures(capacity, count, now)
        term = renewing.get(each)
        if term is None or not leaving:
            found[each] = Outlook(capacity, count, leaving, leaving)
            continue
        renewed = _renewed(capacity, start_of_day(term.end_on, zone))
        expected = departures(renewed, count, now)
        found[each] = Outlook(capacity, count, leaving, expected, ordered_on(term))
    return found


def listed(
    organisation: Organisation,
    found: Sequence[Departure],
    *,
    text: str = "",
    part: Part = Part.ALL,
    number: int = 1,
    size: int = PAGE,
) -> Listed:
    """Return a page of the active accounts, first who leaves first; the root, who never does, last.

    `text`: of name or address; `part` of them, as `found` says who leaves.
    """
    least = found[-1].allowed if found else _ALL
    values: dict[str, str | int | bool] = {
        "organisation": organisation.pk,
        "text": text,
        "like": f"%{_escaped(text)}%",
        "above": least if part is Part.LEAVING else 0,
        "upto": least if part is Part.STAYING else _ALL,
        "with_root": part is not Part.LEAVING,
        "limit": size,
        "offset": (number - 1) * size,
    }
    count = _counted(values)
    rows = _placed(
        organisation, f"{_FOUND} ORDER BY r.place DESC LIMIT %(limit)s OFFSET %(offset)s", values
    )
    return Listed(count, tuple(rows))


def _counted(values: Mapping[str, str | int | bool]) -> int:
    with connection.cursor() as cursor:
        # Only a part or a search needs to know who stands where.
        is_all = values["text"] == "" and values["above"] == 0 and values["upto"] == _ALL
        cursor.execute(_IN_USE if is_all else _COUNTED + _FOUND, values)
        (count,) = cursor.fetchone()
    return int(count)


def protected_who_leave(
    organisation: Organisation, found: Sequence[Departure], *, most: int = 10
) -> Listed:
    """Return who leaves although the root protects them, because too many are protected."""
    if not found:
        return Listed(0, ())
    condition = "WHERE is_protected AND place > %(least)s AND role <> 'root'"
    values = {"organisation": organisation.pk, "least": found[-1].allowed, "limit": most}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED + condition, values)
        (count,) = cursor.fetchone()
    rows = _placed(organisation, f"{condition} ORDER BY place DESC LIMIT %(limit)s", values)
    return Listed(count, tuple(rows))


def leaving_at(organisation: Organisation, departure: Departure, *, most: int) -> list[Placed]:
    """Return who leaves at a border, first who leaves first."""
    # Who leaves at an earlier border stands before them.
    values = {
        "organisation": organisation.pk,
        "above": departure.allowed,
        "upto": departure.in_use,
        "limit": most,
    }
    return _placed(
        organisation,
        "WHERE place > %(above)s AND place <= %(upto)s AND role <> 'root'"
        " ORDER BY place DESC LIMIT %(limit)s",
        values,
    )


def chosen_counts(organisation: Organisation) -> tuple[int, int]:
    """Return how many active accounts the root protects, and how many are let go first."""
    counted = Membership.objects.filter(organisation=organisation, deactivated_at=None).aggregate(
        protected=Count("pk", filter=Q(is_protected=True)),
        first=Count("pk", filter=Q(leave_order__isnull=False)),
    )
    return counted["protected"], counted["first"]


def version(organisation_id: int) -> str:
    """Return what changes whenever the root's choice does: a form that was shown with another is stale."""
    with connection.cursor() as cursor:
        cursor.execute(_CHOSEN, [organisation_id])
        (found,) = cursor.fetchone()
    return str(found)


def let_go_first(organisation_id: int) -> list[Membership]:
    """Return the active accounts that the root lets go first, in the order in which they leave."""
    return list(
        Membership.objects.filter(
            organisation=organisation_id, deactivated_at=None, leave_order__isnull=False
        ).order_by("is_protected", "leave_order", "-registered_at", "-pk")
    )


def organisations_to_warn(today: date, *, after_id: int, most: int) -> list[int]:
    """Return organisations with a contract that ends within the warnings' time, by id from one on."""
    last = today + timedelta(days=max(STAGES))
    until = Coalesce("cut_on", "end_on")
    spots = SpotOrder.objects.alias(holds_until=until).filter(
        state=SpotState.PAID,
        ended_at=None,
        holds_until__gt=today,
        holds_until__lte=last,
        organisation__gt=after_id,
    )
    mains = MainContract.objects.alias(holds_until=until).filter(
        withdrawn_at=None,
        ended_at=None,
        holds_until__gt=today,
        holds_until__lte=last,
        organisation__gt=after_id,
    )
    closing = Organisation.objects.filter(
        closed_on__gt=today, closed_on__lte=last, pk__gt=after_id
    ).values_list("pk")
    found = (
        spots.values_list("organisation_id")
        .union(mains.values_list("organisation_id"), closing)
        .order_by("organisation_id")
    )
    return [pk for (pk,) in found[:most]]


def _placed(
    organisation: Organisation, condition: str, values: Mapping[str, str | int | bool]
) -> list[Placed]:
    """Return accounts of the ranked list, `r`, in the order asked for."""
    with connection.cursor() as cursor:
        cursor.execute(_LISTED + condition, values)
        places = dict(cursor.fetchall())
    accounts = accounts_of(organisation).in_bulk(list(places))
    return [Placed(accounts[pk], place) for pk, place in places.items()]


def _renewing(organisation_ids: Iterable[int]) -> dict[int, Term]:
    """Return the last term of whoever's contract is still to be renewed without anybody's doing."""
    last: dict[int, MainContract] = {
        each.organisation_id: each
        for each in contracts.standing(organisation_ids).select_related("organisation")
    }
    return {
        pk: contracts.term(row)
        for pk, row in last.items()
        if row.renews and row.renewal_failed_at is None and _stays(row)
    }


def _stays(row: MainContract) -> bool:
    closed_on = row.organisation.closed_on
    return closed_on is None or closed_on > row.end_on


def _renewed(capacity: Capacity, ends_at: datetime) -> Capacity:
    """Return what would be allowed if what is licensed until an instant went on."""
    main = tuple(
        replace(each, until_at=None) if each.until_at == ends_at else each
        for each in capacity.main
        if each.from_at < ends_at
    )
    return replace(capacity, main=main)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
