"""Showing the end of a contract before it binds, and confirming what was shown. Rule: S1-28, S1-29, F61."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum

from accounts import services as accounts
from accounts.enums import Changed
from accounts.models import User
from cancellation import jobs
from cancellation.enums import Reason, ReviewState
from cancellation.models import Cancellation, Review
from cancellation.queries import preview
from cancellation.queries.preview import Bound
from cancellation.rules import binding, ending
from cancellation.rules.binding import Kind
from cancellation.services import letters, receipts
from cancellation.services.roots import check_root
from core import audit
from core.canonical import Json

HOLDS_FOR = timedelta(minutes=15)
# Wrong passwords of a person, over all their reviews, within this time.
TRIES, TRIES_WITHIN = 10, timedelta(hours=1)
LONGEST_TEXT = 2_000


class Expired(Exception):
    """What was shown holds no longer than 15 minutes."""


class TooManyTries(Exception):
    """So many wrong passwords were given that the person has to wait."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The contract is cancelled. `is_new`: by this call; else an earlier one did it."""

    cancellation: Cancellation
    is_new: bool


@dataclass(frozen=True, slots=True)
class Differs:
    """Nothing was confirmed: it is no longer as it was shown. `review` shows how it is now."""

    review: Review
    differences: tuple[Kind, ...]


@transaction.atomic
def review(*, organisation_id: int, user_id: int, now: datetime) -> Review:
    """Store what is about to be shown of a cancellation, for 15 minutes; nothing else changes.

    Raises NoTerms, CancelledBefore, NotACustomer, NotTheRoot. Rule: S1-29.
    """
    organisation = accounts.lock(organisation_id)
    check_root(organisation, user_id)
    return _store(preview.bound(organisation, now=now), user_id, now)


def sign_in_again(
    *, organisation_id: int, review_id: UUID, user_id: int, password: str, now: datetime
) -> bool:
    """Note that a person signed in again for this very act; return False for a wrong password.

    It is worth nothing for another review, person or act. Of a review that is decided there is nothing
    left to prove. Raises Expired, TooManyTries, Review.DoesNotExist. Rule: F71.
    """
    review = _take_a_try(organisation_id, review_id, user_id, now)
    if review is None:
        return True
    if not User.objects.get(pk=user_id, is_active=True).check_password(password):
        return False
    Review.objects.filter(pk=review.pk, state=ReviewState.OPEN).update(
        stepped_up_at=now, wrong_passwords=F("wrong_passwords") - 1
    )
    return True


@transaction.atomic
def _take_a_try(
    organisation_id: int, review_id: UUID, user_id: int, now: datetime
) -> Review | None:
    """Count a try as wrong before the password is looked at, so that many at once are no way round.

    None for a review that is decided: a password is neither asked nor told of.
    """
    accounts.lock(organisation_id)
    review = Review.objects.get(
        organisation_id=organisation_id, public_id=review_id, user_id=user_id
    )
    if review.state != ReviewState.OPEN:
        return None
    if now >= review.expires_at:
        raise Expired
    tried = Review.objects.filter(user_id=user_id, created_at__gt=now - TRIES_WITHIN)
    if (tried.aggregate(wrong=Sum("wrong_passwords"))["wrong"] or 0) >= TRIES:
        raise TooManyTries
    Review.objects.filter(pk=review.pk).update(wrong_passwords=F("wrong_passwords") + 1)
    return review


@transaction.atomic
def confirm(
    *,
    organisation_id: int,
    review_id: UUID,
    user_id: int,
    ticked: Collection[int],
    now: datetime,
    reason: Reason | None = None,
    reason_text: str = "",
) -> Confirmed | Differs:
    """Cancel the contract as it was shown, once; a second time returns what the first one did.

    The organisation's last day is set, and nothing ends before it. What differs from what was shown is
    shown again, in a review of its own. Raises Expired, BoxesMissing, SignInAgain, CancelledBefore,
    NotACustomer, NotTheRoot, NoTerms, Review.DoesNotExist, and has then changed nothing.
    Rule: S1-28, S1-29, F61, F71.
    """
    organisation = accounts.lock(organisation_id)
    check_root(organisation, user_id)
    shown = (
        Review.objects.select_for_update(no_key=True, of=("self",))
        .select_related("terms")
        .get(organisation=organisation, public_id=review_id, user_id=user_id)
    )
    if shown.state == ReviewState.CONFIRMED:
        return Confirmed(shown.cancellation, is_new=False)
    if shown.state == ReviewState.REPLACED:
        return Differs(shown.replaced_by, _kinds(shown.replaced_by))
    if now >= shown.expires_at:
        raise Expired
    present = preview.bound(organisation, now=now)
    differences = binding.differences(shown.shown, present.shown)
    if differences:
        return Differs(_replace(shown, present, differences, now), differences)
    ending.check_ticked(len(shown.terms.boxes), ticked)
    stepped_up_at = ending.check_step_up(shown.stepped_up_at, now)
    cancellation = _cancel(shown, present, stepped_up_at, now, reason, reason_text)
    return Confirmed(cancellation, is_new=True)


def _cancel(
    shown: Review,
    present: Bound,
    stepped_up_at: datetime,
    now: datetime,
    reason: Reason | None,
    reason_text: str,
) -> Cancellation:
    organisation = present.organisation
    shown.state = ReviewState.CONFIRMED
    shown.save(update_fields=["state"])
    cancellation = Cancellation.objects.create(
        organisation=organisation,
        review=shown,
        terms=shown.terms,
        ticked=list(range(len(shown.terms.boxes))),
        ordered_at=now,
        ordered_by_id=shown.user_id,
        stepped_up_at=stepped_up_at,
        end_on=present.end_on,
        data_until_on=present.data_until_on,
        reason=reason or "",
        reason_text=reason_text.strip()[:LONGEST_TEXT],
    )
    accounts.close_on(
        organisation_id=organisation.pk,
        on=present.end_on,
        actor=f"user:{shown.user_id}",
        now=now,
    )
    details: dict[str, Json] = {
        "cancellation": str(cancellation.public_id),
        "end_on": present.end_on.isoformat(),
        "terms": shown.terms.number,
        "ticked": cancellation.ticked,
        "shown": present.shown,
        "stepped_up_at": stepped_up_at.isoformat(),
    }
    audit.record(
        actor=f"user:{shown.user_id}",
        action="cancellation.confirmed",
        subject=f"cancellation:{cancellation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details=details,
    )
    accounts.tell_entitlements_changed([organisation], reason=Changed.CLOSED, now=now)
    if present.unpaid is not None and present.unpaid.until_on > present.end_on:
        jobs.GIVE_UP_ORDER.enqueue(
            key=str(present.unpaid.pk),
            due_at=now,
            payload={"order_id": present.unpaid.pk},
            organisation_id=organisation.pk,
        )
    receipts.ask(cancellation, now)
    letters.confirmed(cancellation, now)
    return cancellation


def _store(
    present: Bound,
    user_id: int,
    now: datetime,
    *,
    replaces: Review | None = None,
    differences: Sequence[Kind] = (),
) -> Review:
    return Review.objects.create(
        organisation=present.organisation,
        user_id=user_id,
        terms=present.terms,
        shown=present.shown,
        digest=binding.digest(present.shown),
        created_at=now,
        expires_at=now + HOLDS_FOR,
        replaces=replaces,
        differences=[each.value for each in differences],
    )


def _replace(shown: Review, present: Bound, differences: Sequence[Kind], now: datetime) -> Review:
    shown.state = ReviewState.REPLACED
    shown.save(update_fields=["state"])
    return _store(present, shown.user_id, now, replaces=shown, differences=differences)


def _kinds(replaced_by: Review) -> tuple[Kind, ...]:
    return tuple(Kind(each) for each in replaced_by.differences)
