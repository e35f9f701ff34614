"""When an unpaid document is charged again, and from when it is overdue. Rule: B-14, R6."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

# Days after the first try at which a declined charge is tried again. Rule: B-14.
AGAIN_AFTER = (timedelta(days=1), timedelta(days=3), timedelta(days=7))
# How long after a call a provider is asked what became of it, and each time after that.
LOOK_AFTER = (
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)
# A charge of which nobody knows anything for so long is a person's matter. Rule: I06.
PERSON_AFTER = timedelta(hours=72)
# One of which the provider says for so long that it is still deciding. Rule: F08.
PENDING_PERSON_AFTER = timedelta(days=30)
# A call that has not come back in this time never will: its time-outs end long before.
CALL_LOST_AFTER = timedelta(minutes=3)

# What a payer approved, and nobody captured in this time, no provider captures any more.
APPROVAL_LAPSES_AFTER = timedelta(days=1)
# A provider that cannot be reached is tried again after so long: sending nothing harms nobody (F04).
CALL_AGAIN_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
)
# One automatic charge for a payable and a method in this time, whatever asks for more. Rule: R11.
BETWEEN_CHARGES = timedelta(hours=20)


def next_try(declines: int, first_failed_at: datetime) -> datetime | None:
    """Return when to charge again after so many declines (from 1); None if never. Rule: B-14."""
    if declines < 1:
        raise ValueError(declines)
    if declines > len(AGAIN_AFTER):
        return None
    return first_failed_at + AGAIN_AFTER[declines - 1]


def overdue_from(due_on: date, first_failed_at: datetime | None, zone: ZoneInfo) -> datetime:
    """Return from when a document that cannot be charged by itself is overdue.

    That is the day after it was due; where a charge has failed, not before the last try that B-14
    would have made. Rule: B-10, B-14.
    """
    after_due = datetime.combine(due_on + timedelta(days=1), datetime.min.time(), zone)
    if first_failed_at is None:
        return after_due
    return max(after_due, first_failed_at + AGAIN_AFTER[-1])


def next_look(looks: int, now: datetime, retry_after: timedelta | None = None) -> datetime:
    """Return when to ask a provider again, after `looks` times; not before it wants. Rule: R6, F07."""
    wait = LOOK_AFTER[min(looks, len(LOOK_AFTER) - 1)]
    return now + max(wait, retry_after or timedelta())


def next_call(failures: int, now: datetime) -> datetime:
    """Return when to call a provider again that could not be reached `failures` times in a row."""
    return now + CALL_AGAIN_AFTER[min(failures, len(CALL_AGAIN_AFTER)) - 1]


def is_for_a_person(sent_at: datetime, now: datetime, *, is_pending: bool = False) -> bool:
    """Return whether an attempt has been undecided for long enough for staff to decide. Rule: I06.

    `is_pending`: the provider says that it is still deciding. Rule: F08.
    """
    return now - sent_at >= (PENDING_PERSON_AFTER if is_pending else PERSON_AFTER)
