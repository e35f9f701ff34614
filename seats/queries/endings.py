"""What each end that has come, and is not carried out, leaves room for. Rule: domain.md 3.5, S2-10."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.months import start_of_day
from seats.enums import Cause
from seats.queries.due import Border
from seats.rules import leaving
from seats.rules.capacity import Capacity


@dataclass(frozen=True, slots=True)
class Ending:
    """A border of an organisation, with what it may have from then on."""

    organisation_id: int
    border: Border
    due_at: datetime
    known: Capacity
    capacity: int

    @property
    def is_main_less(self) -> bool:
        """Whether the main contract allows less from here on than just before."""
        now, before = self.known.main_at(self.due_at), self.known.main_before(self.due_at)
        return now is not None and (before is None or now < before)

    @property
    def cause(self) -> Cause:
        if self.border.is_closing or self.known.is_closed(self.due_at):
            return Cause.CLOSED
        if self.border.contract_ids and (self.is_main_less or not self.border.spot_ids):
            return Cause.CONTRACT_END
        return Cause.SPOT_END

    @property
    def spot_id(self) -> int | None:
        return max(self.border.spot_ids, default=None)

    @property
    def contract_id(self) -> int | None:
        return max(self.border.contract_ids, default=None)

    @property
    def window_from(self) -> datetime | None:
        return leaving.window_from(self.known, self.due_at)


def endings_of(
    organisation_id: int, borders: Sequence[Border], known: Capacity, zone: ZoneInfo
) -> Iterator[Ending]:
    """Yield an organisation's borders at which accounts may leave, each with less room than before.

    A border that leaves as much room as an earlier one takes nobody away, and is left out.
    """
    least: int | None = None
    for border in borders:
        due_at = start_of_day(border.on, zone)
        allowed = known.at(due_at)
        if allowed is not None and (least is None or allowed < least):
            least = allowed
            yield Ending(organisation_id, border, due_at, known, allowed)
