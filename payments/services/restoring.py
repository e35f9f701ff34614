"""Restore mode: nothing is charged until our books agree with the providers' again. Rule: F37."""

from datetime import datetime

from django.db import transaction

from payments.gateways import registry
from payments.models import ChargingStop
from payments.queries import reconciling as queries
from payments.services import stops


class NotReconciled(Exception):
    """These providers' books have not been compared since the stop, or still differ from ours."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def enter(*, reason: str, actor: str, now: datetime) -> bool:
    """Stop all automatic charging after a restore; return whether that is new. Raises ReasonMissing."""
    return stops.stop(scope=stops.EVERYWHERE, reason=reason, actor=actor, now=now)


@transaction.atomic
def leave(*, reason: str, actor: str, now: datetime, force: bool = False) -> bool:
    """Let charging go on; return whether it was stopped.

    Every provider that anybody pays through must have been compared since the stop, as far as
    to the stop, with nothing left to look into; `force` does without, and the trail says so.
    Raises NotReconciled, ReasonMissing.
    """
    stop = ChargingStop.objects.select_for_update().filter(scope=stops.EVERYWHERE).first()
    if stop is None:
        return False
    behind = tuple(
        gateway.name
        for slug, gateway in registry.gateways().items()
        if queries.is_used(slug, gateway.account)
        and not queries.is_clean_since(slug, gateway.account, stop.since)
    )
    if behind and not force:
        raise NotReconciled(behind)
    why = f"{reason} (by force, not reconciled: {', '.join(behind)})" if behind else reason
    return stops.lift(
        scope=stops.EVERYWHERE, reason=why if reason.strip() else "", actor=actor, now=now
    )
