"""Switches that keep the portal from charging by itself. Rule: R11, F37."""

from datetime import datetime

from django.db import transaction

from core import audit
from core.work import ReasonMissing
from payments.models import ChargingStop

EVERYWHERE = "all"


def of_gateway(slug: str) -> str:
    """Return the scope of everything that is charged through one provider."""
    return f"gateway:{slug}"


def of_organisation(organisation_id: int) -> str:
    """Return the scope of everything that one organisation is charged."""
    return f"organisation:{organisation_id}"


@transaction.atomic
def stop(*, scope: str, reason: str, actor: str, now: datetime) -> bool:
    """Have nothing in `scope` charged automatically from now on; return whether that is new.

    Attempts that are under way are still looked up and settled. Raises ReasonMissing.
    """
    if not reason.strip():
        raise ReasonMissing
    _, is_new = ChargingStop.objects.get_or_create(
        scope=scope, defaults={"reason": reason.strip()[:400], "actor": actor, "since": now}
    )
    if is_new:
        _note("charging.stopped", scope, reason, actor, now)
    return is_new


@transaction.atomic
def lift(*, scope: str, reason: str, actor: str, now: datetime) -> bool:
    """Let what is in `scope` be charged again; return whether it was stopped. Raises ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing
    removed, _ = ChargingStop.objects.filter(scope=scope).delete()
    if removed:
        _note("charging.resumed", scope, reason, actor, now)
    return bool(removed)


def is_stopped(*, organisation_id: int, gateway: str) -> str:
    """Return why an organisation is not charged through a provider now; "" if it may be."""
    scopes = [EVERYWHERE, of_gateway(gateway), of_organisation(organisation_id)]
    found = ChargingStop.objects.filter(scope__in=scopes).order_by("since").first()
    return found.reason if found else ""


def _note(action: str, scope: str, reason: str, actor: str, now: datetime) -> None:
    kind, _, key = scope.partition(":")
    audit.record(
        actor=actor,
        action=action,
        subject=f"charging:{scope}",
        organisation_id=int(key) if kind == "organisation" else None,
        at=now,
        details={"reason": reason.strip()[:400]},
    )
