"""Price changes that were announced to everybody, and whom they still have to reach."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet

from core.months import start_of_day
from plans.models import PriceChange, Repricing, Selection
from plans.queries import catalogue
from plans.rules import PlanTerms
from plans.rules.timeline import Span


class Coming(NamedTuple):
    """A price change that is announced, in one currency."""

    terms: PlanTerms
    effective_on: date


def announced(today: date) -> QuerySet[PriceChange]:
    """Return the price changes that are still to come, in the order of their days."""
    return (
        PriceChange.objects.filter(withdrawn_at=None, effective_on__gt=today)
        .select_related("version__plan")
        .order_by("effective_on", "pk")
    )


def coming(currency: str, today: date) -> tuple[Coming, ...]:
    """Return the price changes that are still to come in a currency."""
    changes = list(announced(today))
    terms = catalogue.terms([change.version_id for change in changes], currency) if changes else {}
    return tuple(
        Coming(terms[change.version_id], change.effective_on)
        for change in changes
        if change.version_id in terms
    )


def to_reprice(change: PriceChange) -> QuerySet[Selection, int]:
    """Return the ids of the organisations that still have an older version on the day it begins."""
    begins_at = start_of_day(change.effective_on, catalogue.vendor_zone())
    open_then = Q(organisation__closed_on=None) | Q(organisation__closed_on__gt=change.effective_on)
    return (
        Selection.objects.filter(
            open_then,
            Q(until_at=None) | Q(until_at__gt=begins_at),
            plan_version__plan=change.version.plan_id,
            plan_version__number__lt=change.version.number,
        )
        .order_by("organisation_id")
        .values_list("organisation_id", flat=True)
        .distinct()
    )


def to_undo() -> QuerySet[Repricing, tuple[int, int]]:
    """Return price change and organisation of what a withdrawn price change has still replaced."""
    return (
        Repricing.objects.filter(price_change__withdrawn_at__isnull=False, undone_at=None)
        .order_by("price_change_id", "organisation_id")
        .values_list("price_change_id", "organisation_id")
        .distinct()
    )


def to_tell() -> QuerySet[Repricing]:
    """Return what roots are still to be told of, the oldest first.

    What was undone before they were told is nothing to them.
    """
    return Repricing.objects.filter(
        Q(told_at=None, undone_at=None)
        | Q(told_at__isnull=False, undone_at__isnull=False, undone_told_at=None)
    ).order_by("pk")


def spans(repricings: Sequence[Repricing], currency: str) -> dict[int, tuple[Span, ...]]:
    """Return what price changes have replaced, by repricing, all of it in one currency."""
    rows = {
        each.pk: [
            (datetime.fromisoformat(from_at), until_at, int(version_id), int(steps))
            for from_at, until_at, version_id, steps in each.replaced
        ]
        for each in repricings
    }
    terms = catalogue.terms({row[2] for found in rows.values() for row in found}, currency)
    return {
        pk: tuple(
            Span(
                terms[version_id],
                steps,
                from_at,
                None if until_at is None else datetime.fromisoformat(until_at),
            )
            for from_at, until_at, version_id, steps in found
        )
        for pk, found in rows.items()
    }
