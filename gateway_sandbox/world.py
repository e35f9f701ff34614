"""What the parts of one sandbox share."""

import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway_sandbox.clock import Clock
from gateway_sandbox.ledger import Ledger
from gateway_sandbox.notices import Notices

_CAPITALS = string.digits + string.ascii_uppercase
# PayPal's account numbers have no letter or digit that could be taken for another.
_ACCOUNT = "".join(each for each in _CAPITALS if each not in "01IO")
_SMALL = string.digits + string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class Accounts:
    """The merchant's accounts with both companies."""

    client_id: str = "local-client"
    secret: str = field(default="canary-paypal-secret", repr=False)
    merchant: str = "LOCALMERCHANT"
    webhook_id: str = "local-webhook"
    paid_auth_code: str = field(default="canary-paid-auth-code", repr=False)


@dataclass(slots=True)
class Tricks:
    """What PayPal does to the next captures and refunds; each is used up by one."""

    pending: int = 0
    pending_refunds: int = 0
    declined: int = 0
    changes: list[dict[str, str | int]] = field(default_factory=list)
    reporting_delay: timedelta = timedelta()
    review_after: timedelta | None = None


@dataclass(slots=True)
class World:
    """One sandbox from the inside."""

    clock: Clock
    ledger: Ledger
    accounts: Accounts
    notices: Notices
    url: str = ""
    tricks: Tricks = field(default_factory=Tricks)
    closing: threading.Event = field(default_factory=threading.Event)

    def now(self) -> datetime:
        """Return the sandbox's present moment."""
        return self.clock.now()


def capitals(length: int = 17) -> str:
    """Return an id as PayPal's orders, captures and refunds have them."""
    return "".join(secrets.choice(_CAPITALS) for _ in range(length))


def account_number() -> str:
    """Return an id as PayPal's accounts have them."""
    return "".join(secrets.choice(_ACCOUNT) for _ in range(13))


def small(length: int) -> str:
    """Return an id as PayPal's payment tokens have them."""
    return "".join(secrets.choice(_SMALL) for _ in range(length))


def moment(at: datetime) -> str:
    """Return a moment as PayPal writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
