"""What may be said instead of an attempt's going on."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments.enums import Unserved
from payments.gateways.base import Account, Gateway
from payments.models import Charge, Journey, PaymentMethod


class NotOwed(Exception):
    """Nothing is owed for it (any more)."""


class AttemptUnderWay(Exception):
    """An attempt for it is not decided yet: until it is, no other begins. Rule: R6."""


class NoMethod(Exception):
    """The organisation has no payment method that works."""


class Stopped(Exception):
    """Charging is stopped; the message says why. Rule: R11."""


class AccountDiffers(Exception):
    """It belongs to another account or environment of ours than the settings name. Rule: R17, F40."""


class TooSoon(Exception):
    """This payable was charged by itself a short while ago. Rule: R11."""


class HeldByStaff(Exception):
    """Staff look into it: no payer pays it meanwhile. Rule: F09, F19."""


class NotAsShown(Exception):
    """What is owed, or what was tried, is not what the payer was shown. Rule: R3, F51."""


class NotServable(Exception):
    """What would be paid could not be delivered; nothing is charged. Rule: F56."""

    def __init__(self, why: Unserved) -> None:
        super().__init__(why.value)
        self.why = why


class NotNow(Exception):
    """The provider cannot be reached; nothing was sent, and `again_at` is when it is tried again."""

    def __init__(self, again_at: datetime) -> None:
        super().__init__(again_at)
        self.again_at = again_at


class ForAPerson(Exception):
    """Nobody can say what became of an attempt; staff have to look at the provider's own pages."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a payer comes back to from the provider's pages."""

    return_url: str = ""
    cancel_url: str = ""


NOWHERE = Places()


@dataclass(frozen=True, slots=True)
class Shown:
    """What a payer saw before paying: what was owed, with which method, after how many attempts.

    A form that is sent twice was shown before its first attempt, and is good for that one alone.
    """

    amount: int
    # None: neither another method nor an attempt more matters.
    attempts: int | None = None
    method: UUID | None = None


def check_account(row: Charge | Journey | PaymentMethod, gateway: Gateway) -> None:
    """Hold a row against the account that the settings name. Raises AccountDiffers. Rule: R17."""
    if Account(row.environment, row.merchant) != gateway.account:
        raise AccountDiffers(f"{row}: {row.environment} {row.merchant}")
