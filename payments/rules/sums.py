"""What is owed for a document after what was credited, captured and given back. Rule: I07."""

from dataclasses import dataclass

from payments.enums import PayableState


@dataclass(frozen=True, slots=True)
class Sums:
    """Amounts in minor units of one currency, none below zero."""

    gross: int
    credited: int = 0
    captured: int = 0
    refunded: int = 0

    @property
    def balance(self) -> int:
        """What is still owed; below zero, what is to be given back."""
        return self.gross - self.credited - self.captured + self.refunded


def state(sums: Sums) -> PayableState:
    """Return how a document stands by its sums alone. Rule: I07.

    VOID: it was credited whole, so that nothing was or is owed.
    """
    if sums.balance > 0:
        return PayableState.OPEN
    if sums.gross > 0 and sums.credited == sums.gross:
        return PayableState.VOID
    return PayableState.PAID
