"""Which ends of contracts have come and are not carried out: the borders at which accounts may leave.

A border is the first day on which a spot contract, a main contract or the organisation's own contract
with the vendor no longer holds. Each of the three is found by an index of those not carried out.
Rule: domain.md 3.5, S2-10.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from django.db import connection

from core.enums import WorkState
from core.ids import array
from seats import jobs
from spot_orders.enums import SpotState

_SPOTS = """
    SELECT organisation_id, COALESCE(cut_on, end_on) AS ended_on, id AS spot_id, NULL::bigint AS contract_id
    FROM spot_orders_spotorder
    WHERE state = %(paid)s AND ended_at IS NULL AND COALESCE(cut_on, end_on) <= %(today)s
"""
_CONTRACTS = """
    SELECT organisation_id, COALESCE(cut_on, end_on), NULL::bigint, id
    FROM plans_maincontract
    WHERE withdrawn_at IS NULL AND ended_at IS NULL AND COALESCE(cut_on, end_on) <= %(today)s
"""
_CLOSED = """
    SELECT id, closed_on, NULL::bigint, NULL::bigint
    FROM accounts_organisation
    WHERE closed_on <= %(today)s AND (accounts_ended_on IS NULL AND closed_on IS NOT NULL
        OR accounts_ended_on < closed_on OR accounts_ended_on > closed_on)
"""
_DUE = f"{_SPOTS} UNION ALL {_CONTRACTS} UNION ALL {_CLOSED}"
_ORGANISATIONS = f"""
    SELECT DISTINCT d.organisation_id FROM ({_DUE}) d
    WHERE d.organisation_id BETWEEN %(first)s AND %(last)s
        AND NOT EXISTS (SELECT FROM core_work w WHERE w.kind = %(alone)s
        AND w.key = d.organisation_id::text AND w.state <> %(done)s)
    ORDER BY 1
"""  # noqa: S608 - made of the statements above
_OF_PAGE = f"""
    {_SPOTS} AND organisation_id = ANY(%(ids)s::bigint[])
    UNION ALL {_CONTRACTS} AND organisation_id = ANY(%(ids)s::bigint[])
    UNION ALL {_CLOSED} AND id = ANY(%(ids)s::bigint[])
    ORDER BY 1, 2
"""
_PUBLIC_IDS = f"""
    SELECT o.public_id FROM accounts_organisation o
    WHERE o.id IN (SELECT d.organisation_id FROM ({_DUE}) d)
"""  # noqa: S608 - made of the statements above
_CARRIED_OUT = """
    SELECT COALESCE(cut_on, end_on) FROM spot_orders_spotorder
    WHERE organisation_id = %(id)s AND ended_at IS NOT NULL AND COALESCE(cut_on, end_on) > %(today)s
    UNION SELECT COALESCE(cut_on, end_on) FROM plans_maincontract
    WHERE organisation_id = %(id)s AND withdrawn_at IS NULL AND ended_at IS NOT NULL
        AND COALESCE(cut_on, end_on) > %(today)s
    UNION SELECT accounts_ended_on FROM accounts_organisation
    WHERE id = %(id)s AND accounts_ended_on > %(today)s AND closed_on = accounts_ended_on
"""


_LAST = 2**63 - 1


@dataclass(slots=True)
class Border:
    """A day from which something of an organisation's no longer holds, and what that is."""

    on: date
    spot_ids: list[int] = field(default_factory=list)
    contract_ids: list[int] = field(default_factory=list)
    is_closing: bool = False


def organisations(today: date, *, first_id: int = 0, last_id: int = _LAST) -> list[int]:
    """Return the organisations of a range of ids with a border that has come, in order.

    One that was set aside, and waits for a person or to be tried alone, is left out. Rule: R12.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ORGANISATIONS,
            {
                **_known(today),
                "first": first_id,
                "last": last_id,
                "alone": jobs.SETTLE_ALONE.kind,
                "done": WorkState.DONE.value,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def public_ids(today: date) -> frozenset[UUID]:
    """Return the public ids of all organisations with a border that has come, set aside or not."""
    with connection.cursor() as cursor:
        cursor.execute(_PUBLIC_IDS, _known(today))
        return frozenset(row[0] for row in cursor.fetchall())


def borders(organisation_ids: Iterable[int], today: date) -> dict[int, list[Border]]:
    """Return the borders that have come, by organisation, the earliest first; in one statement."""
    found: dict[int, list[Border]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_OF_PAGE, {**_known(today), "ids": array(organisation_ids)})
        for organisation_id, on, spot_id, contract_id in cursor.fetchall():
            of_organisation = found[organisation_id]
            if not of_organisation or of_organisation[-1].on != on:
                of_organisation.append(Border(on))
            _add(of_organisation[-1], spot_id, contract_id)
    return dict(found)


def carried_out_after(organisation_id: int, today: date) -> Sequence[date]:
    """Return the borders of an organisation that lie after a day and are carried out nevertheless.

    Whoever read the clock just before one, and was given the lock just after it, meets them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CARRIED_OUT, {"id": organisation_id, "today": today})
        return [row[0] for row in cursor.fetchall()]


def _known(today: date) -> dict[str, date | str]:
    return {"today": today, "paid": SpotState.PAID.value}


def _add(border: Border, spot_id: int | None, contract_id: int | None) -> None:
    if spot_id is not None:
        border.spot_ids.append(spot_id)
    elif contract_id is not None:
        border.contract_ids.append(contract_id)
    else:
        border.is_closing = True
