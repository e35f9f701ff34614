"""Price changes: announced to everybody, stored for each organisation ahead of time, or withdrawn.

Who has an older version is found from rows alone, so that whoever selects one after the announcement
is reached too, and a run that broke off is taken up where it was. Rule: B-02, R1.
"""

from datetime import date, datetime

from django.db import transaction

from accounts import services as accounts
from accounts.models import Organisation
from core import audit
from core.work import Job, Piece
from plans import jobs, queries
from plans.models import PriceChange, Repricing
from plans.queries import price_changes as due
from plans.rules import PlanTerms
from plans.rules import price_changes as rules
from plans.rules.timeline import Span
from plans.services.contracts import store

ACTOR = "system:price_change"
# What is left is asked for when these are done, or by the next tick.
A_PAGE = 500


class ReasonMissing(ValueError):
    """Why a price change is withdrawn is not said."""


class WithdrawnBefore(Exception):
    """The price change is withdrawn already."""


class TooLate(Exception):
    """The price change is in force, or as good as."""


def announce(*, version_id: int, effective_on: date, actor: str, now: datetime) -> None:
    """Note that whoever has an older version gets this one; what was announced before stays.

    The caller has checked that it may be announced, and keeps the trail. Rule: B-02.
    """
    PriceChange.objects.get_or_create(
        version_id=version_id,
        defaults={"effective_on": effective_on, "announced_at": now, "announced_by": actor},
    )


@transaction.atomic
def plan(now: datetime) -> None:
    """Ask for a page of the organisations that a price change, or its withdrawal, has still to reach."""
    try:
        today = now.astimezone(queries.vendor_zone()).date()
    except queries.NoVendor:
        return
    for change in due.announced(today):
        found = due.to_reprice(change)[:A_PAGE]
        _ask(jobs.REPRICE, [(change.pk, organisation_id) for organisation_id in found], now)
    _ask(jobs.TAKE_BACK, list(due.to_undo()[:A_PAGE]), now)


@transaction.atomic
def reprice(*, price_change_id: int, organisation_id: int, now: datetime) -> None:
    """Store a price change for an organisation ahead of time; its root is told of it later on.

    Where there is nothing to change, or the price change was withdrawn, nothing is. Raises TooLate,
    and has then changed nothing. Rule: B-02.
    """
    accounts.lock(organisation_id)
    change = PriceChange.objects.select_related("version__plan").get(pk=price_change_id)
    if change.withdrawn_at is not None:
        return
    organisation = Organisation.objects.get(pk=organisation_id)
    zone = queries.vendor_zone()
    before = queries.timeline(organisation, now=now)
    terms = _terms(change, organisation)
    had = rules.replaced(before, terms, change.effective_on, zone)
    if not had:
        return
    if now >= rules.in_force_at(change.effective_on, zone):
        raise TooLate(change.effective_on)
    store(
        organisation_id=organisation_id,
        before=before,
        after=rules.repriced(before, terms, change.effective_on, zone),
        action="price_change.stored",
        details={"price_change": str(change)},
        actor=ACTOR,
        now=now,
    )
    Repricing.objects.create(
        price_change=change,
        organisation=organisation,
        replaced=[_written(span) for span in had],
        at=now,
    )


@transaction.atomic
def take_back(*, price_change_id: int, organisation_id: int, now: datetime) -> None:
    """Store again what an organisation had before a price change that was withdrawn."""
    accounts.lock(organisation_id)
    change = PriceChange.objects.select_related("version__plan").get(pk=price_change_id)
    repricings = list(
        Repricing.objects.filter(
            price_change=change, organisation=organisation_id, undone_at=None
        ).order_by("pk")
    )
    if change.withdrawn_at is None or not repricings:
        return
    organisation = Organisation.objects.get(pk=organisation_id)
    before = queries.timeline(organisation, now=now)
    found = due.spans(repricings, organisation.currency)
    # What was replaced last is what was there last.
    had = [span for each in reversed(repricings) for span in found[each.pk]]
    store(
        organisation_id=organisation_id,
        before=before,
        after=rules.taken_back(before, _terms(change, organisation), had, now),
        action="price_change.taken_back",
        details={"price_change": str(change)},
        actor=ACTOR,
        now=now,
    )
    Repricing.objects.filter(pk__in=[each.pk for each in repricings]).update(undone_at=now)


@transaction.atomic
def withdraw(*, price_change_id: int, reason: str, actor: str, now: datetime) -> None:
    """Withdraw a price change before it is in force; each organisation is brought back by jobs.

    Raises ReasonMissing, WithdrawnBefore or TooLate, and has then changed nothing.
    """
    if not reason.strip():
        raise ReasonMissing
    change = (
        PriceChange.objects.select_for_update(no_key=True, of=("self",))
        .select_related("version__plan")
        .get(pk=price_change_id)
    )
    if change.withdrawn_at is not None:
        raise WithdrawnBefore
    if now >= rules.withdrawn_until(change.effective_on, queries.vendor_zone()):
        raise TooLate(change.effective_on)
    change.withdrawn_at, change.withdrawn_by = now, actor
    change.save(update_fields=["withdrawn_at", "withdrawn_by"])
    audit.record(
        actor=actor,
        action="price_change.withdrawn",
        subject=f"price_change:{change.pk}",
        at=now,
        details={"price_change": str(change), "reason": reason.strip()},
    )
    _ask(jobs.TAKE_BACK, list(due.to_undo()[:A_PAGE]), now)


def _terms(change: PriceChange, organisation: Organisation) -> PlanTerms:
    """Return what the new version promises. Raises NotPriced; a catalogue file without it is refused."""
    found = queries.terms([change.version_id], organisation.currency)
    if change.version_id not in found:
        raise queries.NotPriced(f"{change.version} has no price in {organisation.currency}")
    return found[change.version_id]


def _ask(job: Job, pairs: list[tuple[int, int]], now: datetime) -> None:
    if pairs:
        pieces = [
            Piece(
                f"{change_id}:{organisation_id}",
                {"price_change_id": change_id, "organisation_id": organisation_id},
                organisation_id,
            )
            for change_id, organisation_id in pairs
        ]
        job.enqueue_all(pieces, due_at=now)


def _written(span: Span) -> list[str | int | None]:
    until_at = None if span.until_at is None else span.until_at.isoformat()
    return [span.from_at.isoformat(), until_at, span.terms.version_id, span.steps]
