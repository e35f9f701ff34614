"""What may happen to a cancellation: shown, confirmed, withdrawn, moved, carried out, come back from."""

from cancellation.services.changing import (
    NothingToWithdraw,
    TooLate,
    move_last_day,
    withdraw,
)
from cancellation.services.confirming import (
    Confirmed,
    Differs,
    Expired,
    TooManyTries,
    confirm,
    review,
    sign_in_again,
)
from cancellation.services.returning import NoFreePlan, NothingToReopen, reopen
from cancellation.services.roots import NotTheRoot

__all__ = [
    "Confirmed",
    "Differs",
    "Expired",
    "NoFreePlan",
    "NotTheRoot",
    "NothingToReopen",
    "NothingToWithdraw",
    "TooLate",
    "TooManyTries",
    "confirm",
    "move_last_day",
    "reopen",
    "review",
    "sign_in_again",
    "withdraw",
]
