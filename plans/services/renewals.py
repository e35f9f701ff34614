"""Main contracts that renew by themselves: announced, renewed, or given up with everybody told."""

from datetime import date, datetime

from django.db import transaction

from accounts import services as accounts
from core import audit
from core.work import Piece
from plans import jobs, queries
from plans.enums import NotRenewed
from plans.models import MainContract
from plans.queries import contracts as stored
from plans.rules import PlanTerms, timeline
from plans.rules import renewals as rules
from plans.rules.timeline import NoContract, ReturnsToFree
from plans.services import letters
from plans.services.contracts import store

ACTOR = "system:renewal"
# What is left is found by the next tick.
AT_A_TIME = 500


class CannotRenew(Exception):
    """The next term cannot be ordered without a person."""

    def __init__(self, why: NotRenewed) -> None:
        super().__init__(why)
        self.why = why


@transaction.atomic
def plan(now: datetime) -> None:
    """Ask for the renewals and announcements that have become due, from rows alone. Rule: R1."""
    try:
        today = now.astimezone(queries.vendor_zone()).date()
    except queries.NoVendor:
        return
    for job, due in (
        (jobs.RENEW, stored.to_renew(today).filter(renewal_failed_at=None)),
        (jobs.ANNOUNCE_RENEWAL, stored.to_announce(today)),
    ):
        pieces = [
            Piece(str(contract.pk), {"contract_id": contract.pk}, contract.organisation_id)
            for contract in due[:AT_A_TIME]
        ]
        if pieces:
            job.enqueue_all(pieces, due_at=now)


@transaction.atomic
def renew(*, contract_id: int, now: datetime) -> None:
    """Order the term after a main contract: as many months, same plan and steps, today's version.

    One that was renewed, withdrawn or switched off meanwhile, or is not due yet, is left as it is.
    Raises CannotRenew, and has then changed nothing. Rule: S2-13.
    """
    contract, today = _locked(contract_id, now)
    if not stored.to_renew(today).filter(pk=contract.pk).exists():
        return
    zone = queries.vendor_zone()
    before = queries.timeline(contract.organisation, now=now)
    terms, steps = _on_sale(before, today)
    try:
        after = timeline.renew(
            before, terms, steps=steps, months=contract.months, now=now, zone=zone
        )
    except NoContract as over:
        raise CannotRenew(NotRenewed.ENDED) from over
    except ReturnsToFree as stuck:
        raise CannotRenew(NotRenewed.NO_FREE_PLAN) from stuck
    store(
        organisation_id=contract.organisation_id,
        before=before,
        after=after,
        action="contract.renewed",
        details={"by_itself": True, "contract": str(contract.public_id)},
        actor=ACTOR,
        now=now,
    )
    if contract.organisation.closed_on is None:
        # Who cancelled was told the last day; a term beyond it would be news of another.
        last = after.terms[-1]
        letters.contract_renewed(contract.organisation_id, last, terms, steps, now)


@transaction.atomic
def announce(*, contract_id: int, now: datetime) -> None:
    """Tell the root once that a main contract is going to renew, and until when to prevent it."""
    contract, today = _locked(contract_id, now)
    if not stored.to_announce(today).filter(pk=contract.pk).exists():
        return
    MainContract.objects.filter(pk=contract.pk).update(renewal_told_at=now)
    before = queries.timeline(contract.organisation, now=now)
    try:
        terms, steps = _on_sale(before, today)
    except CannotRenew:
        # Whoever it is, they are told when it is tried; the plan may be on sale again by then.
        return
    letters.contract_renews(contract.organisation_id, stored.term(contract), terms, steps, now)


@transaction.atomic
def give_up(*, contract_id: int, why: NotRenewed, now: datetime) -> None:
    """Note that a main contract cannot renew; the root and staff are told once."""
    contract, _ = _locked(contract_id, now)
    if contract.renewal_failed_at is not None:
        return
    MainContract.objects.filter(pk=contract.pk).update(renewal_failed_at=now)
    audit.record(
        actor=ACTOR,
        action="contract.not_renewed",
        subject=f"contract:{contract.pk}",
        organisation_id=contract.organisation_id,
        at=now,
        details={"why": why},
    )
    letters.contract_not_renewed(contract.organisation_id, stored.term(contract), why, now)


def _locked(contract_id: int, now: datetime) -> tuple[MainContract, date]:
    """Return a main contract as it is under its organisation's lock, and the day."""
    organisation_id = MainContract.objects.values_list("organisation_id", flat=True).get(
        pk=contract_id
    )
    accounts.lock(organisation_id)
    contract = MainContract.objects.select_related("organisation").get(pk=contract_id)
    return contract, now.astimezone(queries.vendor_zone()).date()


def _on_sale(before: timeline.Timeline, today: date) -> tuple[PlanTerms, int]:
    """Return what the last term ends with, at the version that is on sale. Raises CannotRenew."""
    present = rules.paid_span(before)
    if present is None:
        raise CannotRenew(NotRenewed.ENDED)
    version = queries.version_on_sale(present.terms.plan_code, today)
    if version is None:
        raise CannotRenew(NotRenewed.NOT_ON_SALE)
    priced = queries.terms([version.pk], present.terms.currency)
    if version.pk not in priced:
        raise CannotRenew(NotRenewed.NOT_ON_SALE)
    return priced[version.pk], present.steps
