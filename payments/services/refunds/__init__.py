"""Money back: intent, call, result, each committed by itself. Rule: R6, I09, F18.

What is given back follows from the sums alone: what was captured beyond what is owed. Whoever
changes them calls `give_back` in the same transaction; the minute's tick finds what was left.
"""

from payments.services.refunds.calls import carry_out, go_on, look, plan, settle
from payments.services.refunds.owed import give_back, give_surplus_back, return_surplus
from payments.services.refunds.reversals import record_reversal
from payments.services.refunds.staff import (
    AmountDiffers,
    MoreThanFailed,
    NotAnswered,
    NotFailed,
    NotKnownThere,
    NotUndecided,
    ReasonMissing,
    ReferenceMissing,
    ReferenceTaken,
    StillAsked,
    decide_made,
    decide_not_made,
    record_by_hand,
    try_again,
)

__all__ = [
    "AmountDiffers",
    "MoreThanFailed",
    "NotAnswered",
    "NotFailed",
    "NotKnownThere",
    "NotUndecided",
    "ReasonMissing",
    "ReferenceMissing",
    "ReferenceTaken",
    "StillAsked",
    "carry_out",
    "decide_made",
    "decide_not_made",
    "give_back",
    "give_surplus_back",
    "go_on",
    "look",
    "plan",
    "record_by_hand",
    "record_reversal",
    "return_surplus",
    "settle",
    "try_again",
]
