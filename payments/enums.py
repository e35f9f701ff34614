"""States of money in and back, each beside the moves that are allowed. Rule: I10."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class MethodState(models.TextChoices):
    """How a payment method stands. REGISTERING: the provider was asked, its answer is not known."""

    REGISTERING = "registering", _("being registered")
    UNDER_REVIEW = "under_review", _("under review")
    ACTIVE = "active", _("active")
    REJECTED = "rejected", _("rejected")
    BROKEN = "broken", _("broken")
    DETACHED = "detached", _("detached")


METHOD_MOVES: Mapping[MethodState, frozenset[MethodState]] = {
    MethodState.REGISTERING: frozenset(
        {
            MethodState.UNDER_REVIEW,
            MethodState.ACTIVE,
            MethodState.REJECTED,
            MethodState.DETACHED,
        }
    ),
    MethodState.UNDER_REVIEW: frozenset(
        {MethodState.ACTIVE, MethodState.REJECTED, MethodState.DETACHED}
    ),
    MethodState.ACTIVE: frozenset({MethodState.BROKEN, MethodState.DETACHED}),
    MethodState.BROKEN: frozenset({MethodState.ACTIVE, MethodState.DETACHED}),
    MethodState.REJECTED: frozenset(),
    MethodState.DETACHED: frozenset(),
}


class JourneyPurpose(models.TextChoices):
    """Why a payer is sent to a provider's own pages."""

    METHOD = "method"
    PAYMENT = "payment"


class JourneyState(models.TextChoices):
    """open → returned → one of the others, once. A return that comes again finds it ended. Rule: F20.

    RETURNED: the payer is back, and the provider is being asked what was approved.
    """

    OPEN = "open"
    RETURNED = "returned"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"


class PayableKind(models.TextChoices):
    INVOICE = "invoice"
    SPOT_ORDER = "spot_order"


class Unserved(models.TextChoices):
    """Why a spot order cannot be paid, or cannot be served although it was. Rule: R10, F56.

    ENDED: it lapsed or was given up. OVERDUE: something else is to be paid first.
    """

    NOT_COVERED = "not_covered", _("the paid plan no longer covers its whole period")
    UNLIMITED = "unlimited", _("the plan no longer limits the number of accounts")
    CLOSED = "closed", _("the contract was cancelled")
    OVER = "over", _("its period is over")
    ENDED = "ended", _("the order had lapsed or was given up")
    LAPSED = "lapsed", _("the order has lapsed")
    OVERDUE = "overdue", _("a payment is overdue")


class PayableState(models.TextChoices):
    """OPEN until nothing is owed. WRITTEN_OFF: staff gave it up; VOID: it is not owed any more."""

    OPEN = "open", _("open")
    PAID = "paid", _("paid")
    VOID = "void", _("void")
    WRITTEN_OFF = "written_off", _("written off")


class ChargeState(models.TextChoices):
    """One attempt to take money. Rule: R6.

    PREPARED: the intent is stored, nothing has left the house. SENT: a call is under way; after a
    crash, nobody knows. STARTED: the provider knows of it and waits for us or for the payer.
    PENDING: the provider says that it is still deciding. UNDECIDED: its answer was lost.
    """

    PREPARED = "prepared", _("prepared")
    SENT = "sent", _("under way")
    STARTED = "started", _("started")
    PENDING = "pending", _("processing")
    UNDECIDED = "undecided", _("being confirmed")
    SUCCEEDED = "succeeded", _("succeeded")
    DECLINED = "declined", _("declined")
    CANCELLED = "cancelled", _("cancelled")


LIVE = frozenset(
    {
        ChargeState.PREPARED,
        ChargeState.SENT,
        ChargeState.STARTED,
        ChargeState.PENDING,
        ChargeState.UNDECIDED,
    }
)
_DECIDED = frozenset({ChargeState.SUCCEEDED, ChargeState.DECLINED})
# A call that surely never left goes back to where it was: PREPARED or STARTED.
CHARGE_MOVES: Mapping[ChargeState, frozenset[ChargeState]] = {
    ChargeState.PREPARED: frozenset({ChargeState.SENT, ChargeState.CANCELLED}),
    ChargeState.SENT: _DECIDED
    | {
        ChargeState.PREPARED,
        ChargeState.STARTED,
        ChargeState.PENDING,
        ChargeState.UNDECIDED,
        ChargeState.CANCELLED,
    },
    ChargeState.STARTED: frozenset({ChargeState.SENT, ChargeState.CANCELLED}),
    ChargeState.PENDING: _DECIDED | {ChargeState.UNDECIDED, ChargeState.CANCELLED},
    ChargeState.UNDECIDED: _DECIDED
    | {
        ChargeState.SENT,
        ChargeState.STARTED,
        ChargeState.PENDING,
        ChargeState.CANCELLED,
    },
    ChargeState.SUCCEEDED: frozenset(),
    ChargeState.DECLINED: frozenset(),
    ChargeState.CANCELLED: frozenset(),
}


class Step(models.TextChoices):
    """Which call of a charge is, or was last, under way."""

    START = "start"
    CAPTURE = "capture"


class Initiator(models.TextChoices):
    """Who set an attempt going: the portal by itself, the customer at a page, or staff."""

    SCHEDULE = "schedule"
    CUSTOMER = "customer"
    STAFF = "staff"


class RefundKind(models.TextChoices):
    """Who gave the money back: we, or the provider by itself (a chargeback, F19)."""

    REFUND = "refund", _("refund")
    REVERSAL = "reversal", _("reversal")


class RefundState(models.TextChoices):
    """One attempt to give money back, as `ChargeState` one to take it. Rule: R6.

    FAILED: the provider will not; staff give it back by hand or try again. REJECTED: nothing was
    sent, and nothing is to be given back any more.
    """

    PREPARED = "prepared", _("prepared")
    SENT = "sent", _("under way")
    PENDING = "pending", _("processing")
    UNDECIDED = "undecided", _("being confirmed")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    REJECTED = "rejected", _("dropped")


REFUND_LIVE = frozenset(
    {
        RefundState.PREPARED,
        RefundState.SENT,
        RefundState.PENDING,
        RefundState.UNDECIDED,
    }
)
REFUND_MOVES: Mapping[RefundState, frozenset[RefundState]] = {
    RefundState.PREPARED: frozenset(
        {RefundState.SENT, RefundState.SUCCEEDED, RefundState.REJECTED}
    ),
    RefundState.SENT: frozenset(
        {
            RefundState.PREPARED,
            RefundState.PENDING,
            RefundState.UNDECIDED,
            RefundState.SUCCEEDED,
            RefundState.FAILED,
        }
    ),
    RefundState.PENDING: frozenset(
        {RefundState.UNDECIDED, RefundState.SUCCEEDED, RefundState.FAILED}
    ),
    RefundState.UNDECIDED: frozenset(
        {RefundState.SENT, RefundState.PENDING, RefundState.SUCCEEDED, RefundState.FAILED}
    ),
    RefundState.SUCCEEDED: frozenset(),
    RefundState.FAILED: frozenset(),
    RefundState.REJECTED: frozenset(),
}


class CorrectionKind(models.TextChoices):
    """What staff do about what is owed: credit an invoice (B-11), or give up what is open."""

    CREDIT = "credit", _("credit")
    WRITE_OFF = "write_off", _("write-off")


class CorrectionState(models.TextChoices):
    """WAITING: for a second person. Rule: ASVS 2.3.5."""

    WAITING = "waiting", _("waits for a second person")
    DONE = "done", _("done")
    REJECTED = "rejected", _("not approved")


class NoticeState(models.TextChoices):
    """What became of a provider's notice. FORGED: its signature is not the provider's (F16)."""

    RECEIVED = "received"
    PROCESSED = "processed"
    IGNORED = "ignored"
    FORGED = "forged"


class DifferenceKind(models.TextChoices):
    """How our books and the provider's differ. Rule: I08."""

    MISSING_HERE = "missing_here", _("The provider has it, we do not.")
    MISSING_THERE = "missing_there", _("We have it, the provider does not.")
    AMOUNT = "amount", _("The amount or the currency differs.")
    STATE = "state", _("The state differs.")
    FOREIGN = "foreign", _("It names another merchant or environment.")


class Hold(models.TextChoices):
    """Why an open payable is not charged by itself. NOTHING: it is, when its time comes."""

    NOTHING = "", _("nothing")
    NO_METHOD = "no_method", _("no payment method")
    METHOD_BROKEN = "method_broken", _("the payment method does not work any more")
    DECLINED = "declined", _("declined each time")
    DIFFERS = "differs", _("the provider's answer does not match; staff look into it")
    REVERSED = "reversed", _("the provider took the money back; staff look into it")


# Only staff lift these: a method that works again does not.
STAFF_HOLDS = frozenset({Hold.DIFFERS, Hold.REVERSED})
