"""Who leaves when more accounts are active than are allowed. Pure. Rule: domain.md 3.5, design.md 6.5."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from seats.rules.capacity import Capacity


@dataclass(frozen=True, slots=True)
class Account:
    """An active account as the choice knows it. `leave_order`: 1 leaves first; None: by the rule."""

    id: int
    is_root: bool
    registered_at: datetime
    is_protected: bool = False
    leave_order: int | None = None


def staying_order(accounts: Iterable[Account]) -> list[Account]:
    """Return accounts with those first that stay longest.

    The root; whom the root protects; the others by registration, the newest last (ties: the higher id
    last); and at the end whom the root lets go first. The SQL of the settlement orders in the same way.
    """
    return sorted(
        accounts,
        key=lambda each: (
            not each.is_root,
            not each.is_protected,
            -(each.leave_order or 0) if each.leave_order is not None else -(10**12),
            each.registered_at,
            each.id,
        ),
    )


def leavers(accounts: Iterable[Account], capacity: int | None) -> list[Account]:
    """Return who leaves, first who leaves first; nobody where there is no limit. Never the root."""
    if capacity is None:
        return []
    ordered = staying_order(accounts)
    return [each for each in reversed(ordered[capacity:]) if not each.is_root]


def window_from(capacity: Capacity, spot_ends_at: datetime) -> datetime | None:
    """Return when the unbroken chain of spot coverage began that ends, or goes on, at an instant.

    Who was registered before it was not carried by a spot contract: should such a person leave, the
    root is told so. None where no spot contract ends then. Rule: domain.md 3.5 (1).
    """
    spots = sorted(capacity.spots, key=lambda each: each.from_at)
    begins: datetime | None = None
    ends: datetime | None = None
    for spot in spots:
        if ends is None or spot.from_at > ends:
            begins, ends = spot.from_at, spot.until_at
        else:
            ends = max(ends, spot.until_at)
        if (
            begins is not None
            and begins < spot_ends_at <= ends
            and any(each.until_at == spot_ends_at for each in spots)
        ):
            # A later spot may still join this chain at its far end; its beginning is known.
            return begins
    return None
