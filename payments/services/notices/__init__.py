"""The providers' notices: taken in at once, worked off later, never believed. Rule: R8."""

from payments.services.notices.inbox import (
    BAD_PER_ADDRESS,
    FORGED_KEPT,
    Flooded,
    ask_for_processing,
    forget_forged,
    receive,
)
from payments.services.notices.processing import process

__all__ = [
    "BAD_PER_ADDRESS",
    "FORGED_KEPT",
    "Flooded",
    "ask_for_processing",
    "forget_forged",
    "process",
    "receive",
]
