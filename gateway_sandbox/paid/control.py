"""What a person at Paid does: reviews members, and pays out."""

import csv
import io
from collections.abc import Iterable
from datetime import date, timedelta

from gateway_sandbox.paid.api import DEFAULT_LIMIT, Paid
from gateway_sandbox.rows import Member, Trade
from gateway_sandbox.world import World

COLUMNS = ("b2bCreditId", "b2bMemberId", "price", "fixedAt", "settledAt")


class PaidStaff:
    """Paid's side of the counter."""

    def __init__(self, world: World, paid: Paid) -> None:
        self._world = world
        self._paid = paid

    @property
    def words(self) -> dict[str, str]:
        """The words of item results, to be changed."""
        return self._paid.words

    @property
    def review_after(self) -> timedelta | None:
        """How long a review takes by itself; None: until somebody decides."""
        return self._world.tricks.review_after

    @review_after.setter
    def review_after(self, wait: timedelta | None) -> None:
        self._world.tricks.review_after = wait

    def approve(self, member: str | Member, *, limit: int = DEFAULT_LIMIT) -> None:
        """Let a member buy up to a limit, in yen."""
        self._decide(member, "active", limit)

    def reject(self, member: str | Member) -> None:
        """Turn a member down."""
        self._decide(member, "rejected", 0)

    def block(self, member: str | Member) -> None:
        """Stop a member's trading. Rule: F66."""
        self._decide(member, "blocked")

    def review(self, member: str | Member) -> None:
        """Look at a member anew."""
        self._decide(member, "reviewing")

    def _decide(self, member: str | Member, status: str, limit: int | None = None) -> None:
        ledger = self._world.ledger
        with ledger.change():
            row = ledger.find(Member, member if isinstance(member, str) else member.id)
            if row is None:
                raise KeyError(member)
            row.status, row.decided_at = status, self._world.now()
            row.limit = row.limit if limit is None else limit
            ledger.put(row)

    def settle(self, trades: Iterable[str | Trade] | None = None, *, on: date) -> None:
        """Pay fixed transactions out; without any named, all of them."""
        ledger = self._world.ledger
        named = {each if isinstance(each, str) else each.id for each in trades or ()}
        with ledger.change():
            for row in ledger.every(Trade):
                is_meant = row.id in named if trades is not None else row.settled_on is None
                if row.status == "fixed" and is_meant:
                    row.settled_on = on
                    ledger.put(row)

    def settlement_csv(self, month: str) -> bytes:
        """Return the file of a month ("2026-11"): what was fixed in it, paid out or not yet."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for row in self._world.ledger.trades:
            if row.fixed_on is None or f"{row.fixed_on:%Y-%m}" != month:
                continue
            settled = f"{row.settled_on:%Y/%m/%d}" if row.settled_on else ""
            writer.writerow([row.id, row.member, row.price, f"{row.fixed_on:%Y/%m/%d}", settled])
        return out.getvalue().encode()
