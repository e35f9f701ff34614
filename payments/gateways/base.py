"""A payment company as we see it. No model, request or HTML crosses this line. Rule: R6, R8, R17.

Every call is made outside a transaction, ends within some 25 seconds, and either returns what is
known or raises one of the facts below. What is not clearly yes or no is `Undecided`, never a decline.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol


class GatewayUnreachable(Exception):
    """No request was sent: refused, no route, no name. To try again is safe. Rule: F04."""


class GatewayMisconfigured(Exception):
    """The provider refuses us and not the payer: our secret, account or settings. Nothing was taken.

    No further charge is worth a try before somebody has looked. Rule: gateways.md 4.4.
    """


class RequestRefused(Exception):
    """The provider refuses what was asked, and says why; nothing has changed there.

    `code` is the provider's; `fields` are names of `Gateway.profile` that it finds fault with.
    """

    def __init__(self, code: str, fields: Sequence[str] = (), reference: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.fields = tuple(fields)
        self.reference = reference


class AnswerLost(Exception):
    """A request that moves no money was sent, and what became of it is not known.

    `retry_after`: how long the provider wants to be left alone, if it says so.
    """

    def __init__(self, code: str, retry_after: timedelta | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


class BadNotice(Exception):
    """A notice is not the provider's, or not for us; nothing was fetched because of it. Rule: F16, F17."""


class NoticeUnverified(Exception):
    """Whether a notice is the provider's could not be found out now; it may come again."""


class Entry(enum.Enum):
    """How a payer registers: on the provider's pages, or in a form of ours that we pass on."""

    REDIRECT = "redirect"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose money it is at the provider. Stored with each attempt; two never mix. Rule: R17, F40.

    `environment`: live, sandbox (the provider's own) or local (ours).
    """

    environment: str
    merchant: str


@dataclass(frozen=True, slots=True)
class ProfileField:
    """One field of a registration form. `pattern` is a whole match; texts are msgids."""

    name: str
    label: str
    max_length: int
    pattern: str = ""
    help: str = ""
    hint: str = ""  # told when `pattern` does not match
    required: bool = True
    autocomplete: str = ""
    kind: str = "text"  # text, email, tel, select
    choices: tuple[tuple[str, str], ...] = ()
    section: str = ""


@dataclass(frozen=True, slots=True)
class Payer:
    """A registered payer. `reference` is the provider's name for it, and never shown.

    `label` may be shown: masked e-mail address, company.
    """

    reference: str
    label: str
    customer: str = ""


class Standing(enum.Enum):
    """How a registered payer stands with the provider. UNKNOWN: it does not know the payer."""

    UNDER_REVIEW = "under_review"
    ACTIVE = "active"
    BLOCKED = "blocked"  # usable again one day, not now
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Approval:
    """The provider's pages that a payer is sent to, and its name for the visit."""

    reference: str
    url: str


@dataclass(frozen=True, slots=True)
class Intent:
    """One attempt to take money, as stored before anything is sent.

    `key`: ours, unique for ever, safe characters, at most 20. `number`: what the payer sees, the
    same for each attempt at one document, at most 127. `amount` in minor units. `payer`: the
    reference of a registered payer, or "" where the payer approves this payment at the provider.
    `reference`: the provider's own name for the attempt, "" until it is known. `sent_at`: when the
    present call was first made: keys do not live for ever there.
    """

    key: str
    number: str
    amount: int
    currency: str
    description: str
    on: date
    payer: str = ""
    reference: str = ""
    by_customer: bool = False
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The money is in, as the provider tells it: who calls compares it with the intent. Rule: F09."""

    reference: str
    capture: str
    amount: int
    currency: str
    key: str
    number: str
    account: Account


@dataclass(frozen=True, slots=True)
class Declined:
    """The payer's side says no; nothing was taken. `code` is the provider's.

    `is_method_broken`: it will say so until the payer registers again. Rule: B-14, F11.
    `is_cancelled`: no payer said no; what was announced had been taken back. Rule: F67.
    """

    code: str
    reference: str = ""
    is_method_broken: bool = False
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider is still deciding; to look up is all there is to do. Rule: F08."""

    code: str
    reference: str = ""
    capture: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The provider knows of it and waits for our next call, or for the payer's approval."""

    reference: str = ""
    is_approved: bool = True


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nobody knows. `retry_after`: how long the provider wants to be left alone, if it says so.

    `was_told`: the provider did answer, and what it says decides nothing. Without an answer a
    person cannot decide either.
    """

    code: str
    reference: str = ""
    retry_after: timedelta | None = None
    was_told: bool = field(default=True, compare=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider says that it knows nothing of it (a look-up's answer alone).

    `may_repeat`: the same call with the same key cannot take the money twice.
    """

    may_repeat: bool


Outcome = Settled | Declined | Pending | Waiting | Undecided | Absent


@dataclass(frozen=True, slots=True)
class RefundIntent:
    """One attempt to give money back, as stored before anything is sent; as `Intent` in all else."""

    key: str
    capture: str
    amount: int
    currency: str
    note: str  # the payer sees it
    number: str = ""
    reference: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    reference: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """The provider will not give it back so; staff decide what is done. `code` is the provider's."""

    code: str
    reference: str = ""


RefundOutcome = Refunded | RefundFailed | Pending | Undecided | Absent


class About(enum.Enum):
    """What a notice is about."""

    CHARGE = "charge"
    REFUND = "refund"
    PAYER = "payer"
    NOTHING = "nothing"  # a kind that we do not know, or need not


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified notice. It is a hint: what it is about is looked up, its content is not believed.

    `references`: the provider's names of what it is about (order, capture, payer), and our key
    where it gives it back. Rule: R8.
    """

    event_id: str
    kind: str
    about: About
    references: tuple[str, ...] = ()


class RecordKind(enum.Enum):
    CAPTURE = "capture"
    REFUND = "refund"
    REVERSAL = "reversal"


class RecordState(enum.Enum):
    COMPLETED = "completed"
    PENDING = "pending"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Record:
    """One movement in the provider's own books. `amount` is not negative, also of a refund. Rule: I08."""

    kind: RecordKind
    state: RecordState
    reference: str  # of the capture or refund
    amount: int
    currency: str
    at: datetime
    key: str = ""  # ours, where the provider gives it back
    number: str = ""
    parent: str = ""  # of a refund or reversal: the capture
    paid_out_on: date | None = None  # of what the provider buys, and pays to us later


class NotTold(Exception):
    """The provider has no such question: its records come by file."""


class Gateway(Protocol):
    """A payment company. One object serves a process, from many threads at once.

    Unless said otherwise a method raises GatewayUnreachable, GatewayMisconfigured, and, where it
    moves no money, AnswerLost.
    """

    slug: str
    label: str  # msgid: "Pay by Credit Card (PayPal)"
    name: str  # of the company: "PayPal"
    entry: Entry
    profile: tuple[ProfileField, ...]  # what the form asks; empty for Entry.REDIRECT
    account: Account
    # Whether the provider bills the payer itself, in its own time: Paid buys the receivable.
    collects_by_invoice: bool
    # Whether the charge of a registered payer is announced by `start` before it is captured.
    announces: bool

    def serves(self, country: str, currency: str) -> bool:
        """Return whether an organisation of this country (ISO 3166) and currency may use it."""

    # --- a payer registers ---

    def open_registration(
        self, *, key: str, customer: str, language: str, return_url: str, cancel_url: str
    ) -> Approval:
        """Ask for the pages on which a payer lets us charge; nothing is registered yet.

        `key` is ours and unique; `customer` is our name for the organisation.
        """

    def finish_registration(self, *, key: str, reference: str) -> Payer | None:
        """Register the payer who approved; None if nobody has. A second call gives the same payer."""

    def register(self, *, key: str, profile: Mapping[str, str]) -> Payer:
        """Pass on the form. A second call with the same key registers nobody twice.

        Raises RequestRefused with the fields at fault.
        """

    def standing(self, payer: str) -> Standing:
        """Return how a registered payer stands."""

    def forget(self, payer: str) -> None:
        """Have the provider let us charge this payer no more; one who is gone is no error."""

    # --- money in ---

    def start(self, intent: Intent, *, return_url: str, cancel_url: str) -> Approval | Outcome:
        """Announce a payment: an Approval if the payer must approve it there, else Waiting.

        A gateway that needs no announcement returns Waiting("") and calls nobody.
        Declined, Undecided as for `capture`.
        """

    def capture(self, intent: Intent) -> Outcome:
        """Take the money. The same intent again, within the life of its key, takes it once."""

    def look_up(self, intent: Intent) -> Outcome:
        """Ask how it stands, changing nothing on either side."""

    def cancel(self, intent: Intent) -> None:
        """Take back what `start` announced and nobody captured; one that is gone is no error."""

    # --- money back ---

    def refund(self, intent: RefundIntent) -> RefundOutcome:
        """Give a captured amount back, or a part. The same intent again gives it back once."""

    def look_up_refund(self, intent: RefundIntent) -> RefundOutcome:
        """Ask how a refund stands, changing nothing on either side."""

    # --- what the provider tells by itself ---

    def notice_in(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Check a notice on its raw bytes. Raises BadNotice, or NoticeUnverified.

        `headers` by lower-case name.
        """

    def records(self, since: datetime, until: datetime) -> Iterator[Record]:
        """Yield the provider's own books, [since, until). Raises NotTold."""

    def records_in(self, file: bytes) -> Iterator[Record]:
        """Yield the records of a file that the provider hands out. Raises NotTold, ValueError."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that says nothing of itself in a log, a trace or a repr. Rule: F68."""

    reveal: str = field(repr=False)

    def __str__(self) -> str:
        return "…"
