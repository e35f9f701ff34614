"""Spot orders, and the spot contracts that paid ones are."""

from collections.abc import Iterable
from datetime import date

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.models import Organisation
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder


def orders_of(organisation: Organisation) -> QuerySet[SpotOrder]:
    """Return an organisation's spot orders, whatever became of them, the newest first."""
    return SpotOrder.objects.filter(organisation=organisation).order_by("-placed_at", "-pk")


def contracts_of(organisation_ids: Iterable[int]) -> QuerySet[SpotOrder]:
    """Return spot contracts: paid orders, past, running and to come, of each organisation in their order."""
    return SpotOrder.objects.filter(
        organisation__in=list(organisation_ids), state=SpotState.PAID
    ).order_by("organisation_id", "first_on", "pk")


def holding_on(organisation: Organisation, day: date) -> QuerySet[SpotOrder]:
    """Return the spot contracts that hold on a day. Rule: S2-08."""
    return contracts_of([organisation.pk]).filter(
        Q(cut_on=None, end_on__gt=day) | Q(cut_on__gt=day), first_on__lte=day
    )


def depending_on(organisation: Organisation, end_on: date) -> QuerySet[SpotOrder]:
    """Return the orders that could not be served if what is paid for ended on a day (half open).

    Contracts that are to hold beyond it, and an order that waits for its payment and would; the one
    that reaches furthest first. Rule: S2-13.
    """
    return (
        SpotOrder.objects.filter(
            organisation=organisation,
            state__in=[SpotState.PAID, SpotState.PLACED],
            ended_at=None,
        )
        .annotate(reaches_on=Coalesce("cut_on", "end_on"))
        .filter(Q(reaches_on__gt=F("first_on")), reaches_on__gt=end_on)
        .order_by("-reaches_on", "pk")
    )


def unpaid_of(organisation: Organisation) -> SpotOrder | None:
    """Return the order that waits for its payment, if there is one."""
    return SpotOrder.objects.filter(organisation=organisation, state=SpotState.PLACED).first()
