"""The one way a method, charge or refund changes its state: by an allowed move, noted. Rule: R6, I10."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from payments.enums import (
    CHARGE_MOVES,
    METHOD_MOVES,
    REFUND_MOVES,
    ChargeState,
    MethodState,
    RefundState,
)
from payments.models import Charge, PaymentMethod, Refund, Transition

SCHEDULE = "system:collection"


class MovedBefore(Exception):
    """The row is not in the state from which it was to be moved: somebody else was first."""


def move_charge(
    charge: Charge,
    to: ChargeState,
    *,
    actor: str = SCHEDULE,
    now: datetime,
    code: str = "",
    **values: Any,
) -> None:
    """Move a charge and note it, in the caller's transaction; `values` are written with it.

    Raises MovedBefore, and has then changed nothing.
    """
    decided = to in {ChargeState.SUCCEEDED, ChargeState.DECLINED, ChargeState.CANCELLED}
    if decided:
        values |= {"decided_at": now, "next_look_at": None}
    _move(charge, CHARGE_MOVES, to, actor=actor, now=now, code=code, values=values)


def move_refund(
    refund: Refund,
    to: RefundState,
    *,
    actor: str = SCHEDULE,
    now: datetime,
    code: str = "",
    **values: Any,
) -> None:
    """Move a refund and note it, as `move_charge` does."""
    if to in {RefundState.SUCCEEDED, RefundState.FAILED, RefundState.REJECTED}:
        values |= {"decided_at": now, "next_look_at": None}
    _move(refund, REFUND_MOVES, to, actor=actor, now=now, code=code, values=values)


def move_method(
    method: PaymentMethod,
    to: MethodState,
    *,
    actor: str = SCHEDULE,
    now: datetime,
    code: str = "",
    **values: Any,
) -> None:
    """Move a payment method and note it, as `move_charge` does."""
    values |= {"state_at": now}
    if to is not MethodState.UNDER_REVIEW:
        values |= {"next_look_at": None}
    _move(method, METHOD_MOVES, to, actor=actor, now=now, code=code, values=values)


def note_new(row: Charge | Refund | PaymentMethod, *, actor: str, now: datetime) -> None:
    """Note the state in which a row was stored."""
    _note(row, before="", actor=actor, now=now, code="")


def _move(
    row: Any,
    moves: Mapping[Any, frozenset[Any]],
    to: Any,
    *,
    actor: str,
    now: datetime,
    code: str,
    values: Mapping[str, Any],
) -> None:
    before = row.state
    if to not in moves[type(to)(before)]:
        raise MovedBefore(f"{row}: not to {to}")
    changed = (
        type(row)
        .objects.filter(pk=row.pk, state=before)
        .update(state=to, code=code[:120], **values)
    )
    if not changed:
        raise MovedBefore(f"{row}: not {before} any more")
    row.state, row.code = to, code[:120]
    for name, value in values.items():
        setattr(row, name, value)
    _note(row, before=before, actor=actor, now=now, code=code)


def _note(
    row: Charge | Refund | PaymentMethod, *, before: str, actor: str, now: datetime, code: str
) -> None:
    Transition.objects.create(
        organisation_id=row.organisation_id,
        subject=_SUBJECTS[type(row)],
        subject_id=row.pk,
        before=before,
        after=row.state,
        step=getattr(row, "step", ""),
        code=code[:120],
        actor=actor,
        at=now,
    )


_SUBJECTS: Mapping[type, str] = {PaymentMethod: "method", Charge: "charge", Refund: "refund"}
