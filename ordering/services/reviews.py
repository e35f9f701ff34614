"""Showing an order before it binds, and saving what was shown. Rule: S1-23, design.md 6.1, F51, F54."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts import services as accounts
from accounts.models import Organisation
from core.canonical import Json
from ordering.enums import ReviewState
from ordering.models import Review
from ordering.queries import proposals
from ordering.queries.proposals import Proposal
from ordering.rules import acts, binding
from ordering.rules.acts import Act
from ordering.rules.binding import Difference
from ordering.rules.guards import Waiver
from payments.services import spots
from plans import services as plans

HOLDS_FOR = timedelta(minutes=15)


class Expired(Exception):
    """What was shown holds no longer than 15 minutes."""


class ReasonMissing(ValueError):
    """Staff let something pass without saying why."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The order is carried out. `is_new`: by this call; else an earlier one did it."""

    review: Review
    is_new: bool


@dataclass(frozen=True, slots=True)
class Differs:
    """Nothing was saved: it is no longer as it was shown. `review` shows how it is now."""

    review: Review


@transaction.atomic
def review(
    *,
    organisation_id: int,
    user_id: int,
    act: Act,
    now: datetime,
    waivers: Collection[Waiver] = (),
) -> Review:
    """Store what is about to be shown of an order, for 15 minutes; nothing else changes.

    `waivers`: what staff let pass for a customer. Raises Refusal. Rule: design.md 6.1.
    """
    organisation = Organisation.objects.get(pk=organisation_id)
    proposal = proposals.proposal(organisation, act, now=now, waivers=waivers)
    return _store(organisation, user_id, proposal, now)


@transaction.atomic
def save(
    *,
    organisation_id: int,
    review_id: UUID,
    actor: str,
    now: datetime,
    reason: str = "",
    waivers: Collection[Waiver] = (),
) -> Saved | Differs:
    """Carry out what was shown, once; a second time returns what the first one did.

    What differs from what was shown is shown again, in a review of its own. `reason`: why staff act
    for a customer; `waivers`: what they let pass, for that reason; spot contracts that lose their cover
    by it are cut and credited at once, as they were shown. Raises Expired or Refusal, ReasonMissing,
    Review.DoesNotExist, and what `spots.cut_uncovered` does; nothing has changed then.
    Rule: S1-23, S1-25, S2-13, F51, F54.
    """
    if waivers and not reason.strip():
        raise ReasonMissing
    organisation = accounts.lock(organisation_id)
    shown = Review.objects.select_for_update(no_key=True).get(
        organisation=organisation, public_id=review_id
    )
    if shown.state == ReviewState.SAVED:
        return Saved(shown, is_new=False)
    if shown.state == ReviewState.REPLACED:
        return Differs(shown.replaced_by)
    if now >= shown.expires_at:
        raise Expired
    act = acts.from_json(shown.act)
    proposal = proposals.proposal(organisation, act, now=now, waivers=waivers)
    differences = binding.differences(shown.shown, proposal.binding)
    if differences:
        return Differs(_replace(shown, proposal, differences, now))
    details: dict[str, Json] = {
        "review": str(shown.public_id),
        "act": acts.to_json(act),
        "shown": proposal.binding,
    }
    if reason:
        details["reason"] = reason
    if waivers:
        details["let_pass"] = [each.value for each in sorted(waivers)]
    plans.store(
        organisation_id=organisation.pk,
        before=proposal.before,
        after=proposal.after,
        action=f"order.{acts.name(act)}",
        details=details,
        actor=actor,
        now=now,
    )
    if Waiver.SPOTS in waivers and proposal.after.last_term is not None:
        spots.cut_uncovered(
            organisation_id=organisation.pk,
            ends_on=proposal.after.last_term.end_on,
            operation=shown.public_id,
            reason=reason.strip(),
            actor=actor,
            now=now,
        )
    shown.state, shown.saved_at, shown.saved_by = ReviewState.SAVED, now, actor
    shown.save(update_fields=["state", "saved_at", "saved_by"])
    return Saved(shown, is_new=True)


def _store(
    organisation: Organisation,
    user_id: int,
    proposal: Proposal,
    now: datetime,
    *,
    replaces: Review | None = None,
    differences: Sequence[Difference] = (),
) -> Review:
    return Review.objects.create(
        organisation=organisation,
        user_id=user_id,
        act=acts.to_json(proposal.act),
        shown=proposal.binding,
        digest=binding.digest(proposal.binding),
        created_at=now,
        expires_at=now + HOLDS_FOR,
        replaces=replaces,
        differences=[asdict(each) for each in differences],
    )


def _replace(
    shown: Review, proposal: Proposal, differences: Sequence[Difference], now: datetime
) -> Review:
    shown.state = ReviewState.REPLACED
    shown.save(update_fields=["state"])
    return _store(
        shown.organisation,
        shown.user_id,
        proposal,
        now,
        replaces=shown,
        differences=differences,
    )
