"""What comes of a correction, and what may be said instead."""

from dataclasses import dataclass

from billing.models import Invoice
from payments.enums import CorrectionState
from payments.models import Charge, Correction, Refund


class ReasonMissing(ValueError):
    """What staff do about money needs a reason that can be read later."""


class ChargeUnderWay(Exception):
    """A charge of it is not decided yet: until it is, nobody knows what is owed. Rule: R6, F18."""

    def __init__(self, charge: Charge) -> None:
        super().__init__(charge.key)
        self.charge = charge


class OperationTaken(ValueError):
    """The form was sent before, and asked for something else then. Rule: R3."""


class OtherWaits(Exception):
    """Another correction of the same document waits for a second person."""


class SamePerson(Exception):
    """Who asked for it cannot approve it. Rule: ASVS 2.3.5."""


class AlreadyDecided(Exception):
    """It was carried out, rejected or withdrawn before."""


class NotTakenUp(RuntimeError):
    """The invoice is below the last one that collecting took up, and has no payable."""


class NotOpen(Exception):
    """Nothing is owed, or another amount than was to be written off."""


class NotWrittenOff(Exception):
    """It was not written off."""


class NotHeld(Exception):
    """No matter of staff keeps it from being charged."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a correction. While it waits for a second person nothing has happened yet."""

    correction: Correction
    refunds: tuple[Refund, ...] = ()

    @property
    def is_waiting(self) -> bool:
        return self.correction.state == CorrectionState.WAITING

    @property
    def credit_note(self) -> Invoice | None:
        return self.correction.credit_note
