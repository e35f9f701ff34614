"""One attempt to take money: intent, call, result, each committed by itself. Rule: R6.

Nothing here holds a transaction over a call. Whoever is killed between two steps leaves a row that
says how far it came, and `look` or `carry_out` goes on from there; nobody charges twice to find out.
"""

from payments.services.charges.calls import (
    cancel,
    carry_out,
    collect,
    look,
    stop_gateway,
)
from payments.services.charges.deciding import (
    NotDiffering,
    StillDiffers,
    decide_not_taken,
    decide_taken,
)
from payments.services.charges.facts import (
    AccountDiffers,
    AttemptUnderWay,
    ForAPerson,
    HeldByStaff,
    NoMethod,
    NotAsShown,
    NotNow,
    NotOwed,
    NotServable,
    Places,
    Shown,
    Stopped,
    TooSoon,
)
from payments.services.charges.intents import prepare, prepare_once
from payments.services.charges.results import BookedBefore, settle

__all__ = [
    "AccountDiffers",
    "AttemptUnderWay",
    "BookedBefore",
    "ForAPerson",
    "HeldByStaff",
    "NoMethod",
    "NotAsShown",
    "NotDiffering",
    "NotNow",
    "NotOwed",
    "NotServable",
    "Places",
    "Shown",
    "StillDiffers",
    "Stopped",
    "TooSoon",
    "cancel",
    "carry_out",
    "collect",
    "decide_not_taken",
    "decide_taken",
    "look",
    "prepare",
    "prepare_once",
    "settle",
    "stop_gateway",
]
