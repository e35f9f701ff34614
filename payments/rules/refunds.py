"""How much is given back, of which charge, and whether one person may decide it. Rule: B-11, I09."""

from collections.abc import Sequence
from dataclasses import dataclass

from payments.rules.sums import Sums


class MoreThanCaptured(ArithmeticError):
    """A payable's sums promise more than its charges captured: its books do not agree."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A charge that succeeded: `left` is neither given back, nor on its way, nor waiting for staff."""

    charge_id: int
    left: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one charge gives of a refund."""

    charge_id: int
    amount: int


def surplus(sums: Sums, under_way: int) -> int:
    """Return what was captured beyond what is owed and nobody gives back yet.

    `under_way`: refunds that are being made, and failed ones that wait for staff. Rule: F10, I06.
    """
    return max(0, -sums.balance - under_way)


def shares(amount: int, captured: Sequence[Captured]) -> tuple[Share, ...]:
    """Return how an amount is taken from charges in the order given, none beyond what it has left.

    Raises MoreThanCaptured. Rule: I09.
    """
    found = []
    rest = amount
    for charge in captured:
        part = min(rest, charge.left)
        if part > 0:
            found.append(Share(charge.charge_id, part))
            rest -= part
    if rest > 0:
        raise MoreThanCaptured(rest)
    return tuple(found)


def may_decide_alone(amount: int, before: int, limit: int) -> bool:
    """Return whether one person may credit or write off an amount without a second.

    `before`: what was decided alone about the same document: parts do not get round the limit.
    Rule: ASVS 2.3.5.
    """
    return before + amount <= limit
