"""What staff decide about what is owed: an invoice credited, an amount given up, and back again.

What is above one person's limit waits as a row until another has approved it: nothing is credited
and nothing promised before. Rule: B-11, R3, R6, ASVS 2.3.5.
"""

from billing.services.correct import MoreThanLeft, NotAnAmount, NotCreditable, NothingLeft
from payments.services.corrections.again import release_hold, reopen
from payments.services.corrections.decide import approve, credit_and_refund, reject, write_off
from payments.services.corrections.facts import (
    AlreadyDecided,
    ChargeUnderWay,
    NotHeld,
    NotOpen,
    NotTakenUp,
    NotWrittenOff,
    OperationTaken,
    OtherWaits,
    Outcome,
    ReasonMissing,
    SamePerson,
)

__all__ = [
    "AlreadyDecided",
    "ChargeUnderWay",
    "MoreThanLeft",
    "NotAnAmount",
    "NotCreditable",
    "NotHeld",
    "NotOpen",
    "NotTakenUp",
    "NotWrittenOff",
    "NothingLeft",
    "OperationTaken",
    "OtherWaits",
    "Outcome",
    "ReasonMissing",
    "SamePerson",
    "approve",
    "credit_and_refund",
    "reject",
    "release_hold",
    "reopen",
    "write_off",
]
