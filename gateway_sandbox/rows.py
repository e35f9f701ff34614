"""The columns of the ledger. Amounts are in minor units; moments are aware, in UTC."""

import fnmatch
import types
import typing
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

WHOLE_CURRENCIES = frozenset({"JPY", "HUF", "TWD"})


@dataclass(slots=True)
class Row:
    """A row of the ledger."""

    id: str


R = TypeVar("R", bound=Row)


@dataclass(slots=True)
class SetupToken(Row):
    """A payer's visit to PayPal's pages, to let the merchant charge."""

    status: str  # CREATED, PAYER_ACTION_REQUIRED, APPROVED, VAULTED
    customer: str
    merchant_customer: str
    return_url: str
    cancel_url: str
    locale: str
    brand: str
    description: str
    usage_pattern: str
    created_at: datetime
    email: str = ""
    payment_token: str = ""
    is_cancelled: bool = False


@dataclass(slots=True)
class PaymentToken(Row):
    """A payer's agreement that the merchant may charge: what an order calls vault_id."""

    customer: str
    merchant_customer: str
    email: str
    setup_token: str
    description: str
    usage_pattern: str
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(slots=True)
class Payer(Row):
    """An account with PayPal; its id is its e-mail address. `declines`: what charges answer."""

    payer_id: str
    declines: str = ""


@dataclass(slots=True)
class Order(Row):
    status: str  # CREATED, PAYER_ACTION_REQUIRED, APPROVED, COMPLETED, VOIDED
    amount: int
    currency: str
    custom_id: str
    invoice_id: str
    description: str
    reference_id: str
    created_at: datetime
    updated_at: datetime
    vault_id: str = ""
    email: str = ""
    return_url: str = ""
    cancel_url: str = ""
    locale: str = ""
    brand: str = ""
    approve_rel: str = ""  # approve or payer-action: how the order was asked for
    is_cancelled: bool = False
    capture: str = ""


@dataclass(slots=True)
class Capture(Row):
    order: str
    status: str  # COMPLETED, PENDING, DECLINED, FAILED, PARTIALLY_REFUNDED, REFUNDED
    amount: int
    currency: str
    custom_id: str
    invoice_id: str
    merchant: str
    created_at: datetime
    updated_at: datetime
    reason: str = ""

    @property
    def is_in(self) -> bool:
        """Whether the money came in, whatever went back since."""
        return self.status in {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"}


@dataclass(slots=True)
class Refund(Row):
    capture: str
    status: str  # COMPLETED, PENDING, FAILED, CANCELLED
    amount: int
    currency: str
    custom_id: str
    invoice_id: str
    note: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Reversal(Row):
    """Money that PayPal took back: for a bank, or after a dispute."""

    capture: str
    amount: int
    currency: str
    is_chargeback: bool
    created_at: datetime


@dataclass(slots=True)
class Key(Row):
    """A PayPal-Request-Id and what it brought about; its id is "family key"."""

    made: str
    created_at: datetime


@dataclass(slots=True)
class Member(Row):
    """A buyer at Paid; its id is the merchant's b2bMemberId."""

    paid_id: str
    status: str  # reviewing, active, blocked, rejected
    limit: int
    data: dict[str, str]
    registered_at: datetime
    decided_at: datetime | None = None


@dataclass(slots=True)
class Trade(Row):
    """A transaction at Paid; its id is the merchant's b2bCreditId."""

    member: str
    price: int
    contents: str
    code: str
    status: str  # registered, fixed, cancelled
    registered_at: datetime
    fixed_on: date | None = None
    fixed_at: datetime | None = None
    settled_on: date | None = None


@dataclass(slots=True)
class Notice(Row):
    """A webhook event as it came about; `body` is the JSON text that is sent and signed."""

    kind: str
    resource: str
    body: str
    created_at: datetime
    is_due: bool = False
    tries: int = 0
    next_try_at: datetime | None = None
    answers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Keep(Row):
    """A value that outlives the process: the certificate, the clock, switches."""

    value: str


@dataclass(slots=True)
class Request:
    """A request as it came in. `status` is 0 where no whole answer was given."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: datetime
    status: int = 0

    def matches(self, pattern: str) -> bool:
        """Return whether "METHOD /path" or "/path" says this request; * matches anything."""
        method, _, path = pattern.rpartition(" ")
        return method in {"", self.method} and fnmatch.fnmatchcase(self.path, path)


def read_row(kind: type[R], columns: dict[str, Any]) -> R:
    """Return a row from what JSON left of it."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _read(hints[name], columns[name]) for name in hints if name in columns})


def _read(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if value is not None and hint in {datetime, date}:
        return hint.fromisoformat(value)
    return value


def amount_in(currency: str, value: str) -> int:
    """Return "5500" yen or "12.34" dollars in minor units. Raises ValueError."""
    whole, _, part = value.partition(".")
    if currency in WHOLE_CURRENCIES:
        if part or "." in value:
            raise ValueError(value)
        return int(whole)
    if len(part) > 2:
        raise ValueError(value)
    sign = -1 if whole.startswith("-") else 1
    return int(whole or "0") * 100 + sign * int(part.ljust(2, "0"))


def amount_out(currency: str, amount: int) -> str:
    """Return minor units as PayPal writes them."""
    if currency in WHOLE_CURRENCIES:
        return str(amount)
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02d}"
