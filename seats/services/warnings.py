"""Which roots are to be warned that accounts leave, each border and stage once. Rule: design.md 6.5.

The caller writes the letter in the same transaction: it knows what keeps the accounts, and its price.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from accounts.models import Organisation
from plans import queries as plans
from seats.models import LeavingWarning
from seats.queries import due, leaving
from seats.queries.leaving import Outlook
from seats.rules.departures import Departure, stage_due
from seats.services import settling


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning that is given now. `on`: the day from which on they are out; `stage`: 30, 7 or 1."""

    organisation: Organisation
    outlook: Outlook
    departure: Departure
    on: date
    stage: int


@transaction.atomic
def give(*, organisation_ids: Sequence[int], now: datetime) -> list[Warned]:
    """Note which warnings are given now, and return them, the soonest border of an organisation first.

    A renewal that is still to be ordered by itself is taken for granted: should it fail, it is none. A
    stage that was missed gives way to the most urgent one that is reached. A second run gives none.
    """
    zone = plans.vendor_zone()
    today = now.astimezone(zone).date()
    locked = {
        each.pk: each
        for each in Organisation.objects.select_for_update(no_key=True)
        .filter(pk__in=list(organisation_ids))
        .order_by("pk")
    }
    for organisation_id in due.borders(list(locked), today):
        settling.settle(organisation_id=organisation_id, now=now)
    told = _told(locked, today)
    given = []
    for pk, outlook in leaving.outlooks(locked, now=now).items():
        for departure in outlook.expected:
            on = departure.at.astimezone(zone).date()
            stage = stage_due(on, today, told[pk])
            if stage is not None:
                given.append(Warned(locked[pk], outlook, departure, on, stage))
    LeavingWarning.objects.bulk_create(
        LeavingWarning(
            organisation=each.organisation,
            border_on=each.on,
            stage=each.stage,
            count=each.departure.count,
            told_at=now,
        )
        for each in given
    )
    return given


def _told(organisations: dict[int, Organisation], today: date) -> dict[int, dict[date, int]]:
    """Return the most urgent warning of each coming border that was given, by organisation."""
    told: dict[int, dict[date, int]] = defaultdict(dict)
    rows = LeavingWarning.objects.filter(organisation__in=list(organisations), border_on__gt=today)
    for pk, on, stage in rows.values_list("organisation_id", "border_on", "stage"):
        told[pk][on] = min(stage, told[pk].get(on, stage))
    return told
