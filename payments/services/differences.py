"""What staff have to look into because our books and a provider's differ. Rule: I08, R12."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Q

from core.canonical import Json
from payments.enums import ChargeState, DifferenceKind, RefundKind
from payments.models import Charge, Difference, Payable, Refund


def note(
    kind: DifferenceKind,
    reference: str,
    *,
    charge: Charge,
    refund: Refund | None = None,
    detail: Mapping[str, Json],
    now: datetime,
) -> bool:
    """Note a difference about a charge or its refund, once while it is open; return whether it is new."""
    _, is_new = Difference.objects.get_or_create(
        gateway=charge.gateway,
        environment=charge.environment,
        kind=kind,
        reference=reference,
        resolved_at=None,
        defaults={
            "organisation_id": charge.organisation_id,
            "charge": charge,
            "refund": refund,
            "found_at": now,
            "detail": dict(detail),
        },
    )
    return is_new


def resolve_of(refund: Refund, *, actor: str, resolution: str, now: datetime) -> int:
    """Resolve what is open about a refund; return how many differences it was."""
    return Difference.objects.filter(refund=refund, resolved_at=None).update(
        resolved_at=now, resolved_by=actor, resolution=resolution[:400]
    )


def resolve_held(payable: Payable, *, actor: str, resolution: str, now: datetime) -> int:
    """Resolve what kept a payable from being charged, staff having decided; return how many.

    That is money taken back, and charges that differed and took nothing in the end.
    """
    is_settled = Q(refund__kind=RefundKind.REVERSAL) | (
        Q(refund=None) & ~Q(charge__state=ChargeState.SUCCEEDED)
    )
    return Difference.objects.filter(is_settled, charge__payable=payable, resolved_at=None).update(
        resolved_at=now, resolved_by=actor, resolution=resolution[:400]
    )
