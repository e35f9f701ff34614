"""With which day a contract ends, and what keeps its end from being confirmed. Pure. Rule: S1-28, S1-29."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.months import BillingMonth
from plans.enums import CancellationEnds
from plans.rules.timeline import Timeline

# How old the proof may be that the person signed in again (F71).
STEP_UP_HOLDS = timedelta(minutes=5)
# How far away staff may set the last day.
LATEST_AFTER = timedelta(days=731)


class Refusal(Exception):
    """A step that is not taken; nothing is changed by it."""


class NotACustomer(Refusal):
    """The organisation is no customer yet, or not any more."""


class CancelledBefore(Refusal):
    """Its contract is cancelled already."""


class BoxesMissing(Refusal):
    """Not every text was agreed to; `missing`: their places, from 0. Rule: S1-28."""

    def __init__(self, missing: tuple[int, ...]) -> None:
        super().__init__(missing)
        self.missing = missing


class SignInAgain(Refusal):
    """The person has not signed in for this act, or too long ago. Rule: F71."""


class NotALastDay(Refusal):
    """The day is over, or too far away."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an organisation stands. Days half open; `closed_on`: None while nothing ends it."""

    customer_since: date
    closed_on: date | None
    is_cancelled: bool


def check_may_cancel(standing: Standing, today: date) -> None:
    """Refuse an organisation that has nothing to cancel. Raises CancelledBefore, NotACustomer."""
    if standing.is_cancelled:
        raise CancelledBefore
    if standing.closed_on is not None or standing.customer_since > today:
        raise NotACustomer


def end_on(timeline: Timeline, ends: CancellationEnds, *, now: datetime, zone: ZoneInfo) -> date:
    """Return the day after the last one, if the contract is cancelled now.

    The end of the month that runs; where the vendor says so, the end of what is contracted, and of the
    month where no main contract runs or is ordered. Rule: S1-29.
    """
    today = now.astimezone(zone).date()
    month_end = BillingMonth.of_day(today).next.first_day
    if ends is CancellationEnds.MONTH:
        return month_end
    last = timeline.last_term
    return last.end_on if last is not None and last.end_on > today else month_end


def check_ticked(boxes: int, ticked: Collection[int]) -> None:
    """Refuse unless every one of the texts is agreed to. Raises BoxesMissing. Rule: S1-28."""
    missing = tuple(place for place in range(boxes) if place not in ticked)
    if missing:
        raise BoxesMissing(missing)


def check_step_up(stepped_up_at: datetime | None, now: datetime) -> datetime:
    """Return when the person signed in for this very act, at most five minutes ago. Raises SignInAgain."""
    if stepped_up_at is None or not timedelta() <= now - stepped_up_at <= STEP_UP_HOLDS:
        raise SignInAgain
    return stepped_up_at


def check_last_day(last_on: date, *, today: date) -> None:
    """Refuse a last day that is over, or more than two years ahead. Raises NotALastDay.

    A last day that is not over lies in no month that could be billed.
    """
    if not today <= last_on < today + LATEST_AFTER:
        raise NotALastDay(last_on)
