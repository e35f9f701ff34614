"""Storing what an act makes of what an organisation has contracted."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from accounts import services as accounts
from accounts.enums import Changed
from core import audit
from core.canonical import Json
from core.months import start_of_day
from plans import queries
from plans.enums import Category
from plans.models import MainContract, Selection
from plans.queries import contracts as stored
from plans.rules.timeline import Span, Term, Timeline


class Stale(Exception):
    """Something else was stored after `before` was read."""


class ChangesThePast(ValueError):
    """What has begun would begin otherwise, or what has ended would end otherwise."""


class _Kept(NamedTuple):
    """A span as a row keeps it."""

    version_id: int
    steps: int
    from_at: datetime
    until_at: datetime | None

    def agrees(self, other: "_Kept") -> bool:
        """Return whether both say the same, save for when they end."""
        return self[:3] == other[:3]


@transaction.atomic
def store(
    *,
    organisation_id: int,
    before: Timeline,
    after: Timeline,
    action: str,
    details: Mapping[str, Json],
    actor: str,
    now: datetime,
) -> None:
    """Store what an act has made of an organisation's timeline, and one audit entry of both.

    What runs at `now` is cut or goes on longer, what has not begun is replaced, and the past stays.
    A timeline that says the same stores nothing. Raises Stale or ChangesThePast, and has then
    changed nothing. Rule: S1-25, R5.
    """
    organisation = accounts.lock(organisation_id)
    rows = list(Selection.objects.filter(organisation=organisation).order_by("from_at", "pk"))
    contracts = list(stored.standing([organisation.pk]))
    if _shape(rows, contracts) != (_spans(before), before.terms, before.renews):
        raise Stale(organisation_id)
    if (_spans(before), before.terms, before.renews) == (_spans(after), after.terms, after.renews):
        return
    today = now.astimezone(queries.vendor_zone()).date()
    for category in Category:
        kept = [row for row in rows if row.category == category]
        _store_spans(organisation.pk, category, kept, after.of(category), now)
    _store_terms(organisation.pk, contracts, after, actor=actor, now=now, today=today)
    audit.record(
        actor=actor,
        action=action,
        subject=f"organisation:{organisation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={**details, "before": _told(before, now), "after": _told(after, now)},
    )
    accounts.tell_entitlements_changed([organisation], reason=Changed.PLAN, now=now)


@transaction.atomic
def close(*, organisation_id: int, on: date, actor: str, now: datetime) -> None:
    """End all that an organisation has contracted with the day before `on`, which has come.

    Selections end at its first instant, main contracts that run are cut, and what was to begin later
    is no more. A second time, or late, makes no difference. Rule: S1-29.
    """
    organisation = accounts.lock(organisation_id)
    at = start_of_day(on, queries.vendor_zone())
    Selection.objects.filter(organisation=organisation, from_at__gte=at).delete()
    Selection.objects.filter(organisation=organisation, from_at__lt=at).filter(
        Q(until_at=None) | Q(until_at__gt=at)
    ).update(until_at=at)
    standing = MainContract.objects.filter(organisation=organisation, withdrawn_at=None)
    standing.filter(first_on__gte=on).update(withdrawn_at=now, withdrawn_by=actor, renews=False)
    standing.filter(first_on__lt=on, end_on__gt=on, cut_on=None).update(cut_on=on)
    standing.update(renews=False)
    audit.record(
        actor=actor,
        action="contract.closed",
        subject=f"organisation:{organisation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"on": on.isoformat()},
    )


def _shape(
    rows: Sequence[Selection], contracts: Sequence[MainContract]
) -> tuple[dict[Category, list[_Kept]], tuple[Term, ...], bool]:
    spans = {
        category: [_of_row(row) for row in rows if row.category == category]
        for category in Category
    }
    terms = tuple(stored.term(contract) for contract in contracts)
    return spans, terms, bool(contracts) and contracts[-1].renews


def _spans(timeline: Timeline) -> dict[Category, list[_Kept]]:
    return {category: [_of_span(span) for span in timeline.of(category)] for category in Category}


def _of_row(row: Selection) -> _Kept:
    return _Kept(row.plan_version_id, row.steps, row.from_at, row.until_at)


def _of_span(span: Span) -> _Kept:
    return _Kept(span.terms.version_id, span.steps, span.from_at, span.until_at)


def _store_spans(
    organisation_id: int,
    category: Category,
    rows: Sequence[Selection],
    spans: Sequence[Span],
    now: datetime,
) -> None:
    """Bring a category's rows to what spans say. Raises ChangesThePast."""
    wanted = {span.from_at: _of_span(span) for span in spans}
    gone: list[int] = []
    ends: list[Selection] = []
    for row in rows:
        was, new = _of_row(row), wanted.get(row.from_at)
        if new is None or not new.agrees(was):
            if row.from_at < now:
                raise ChangesThePast(row)
            gone.append(row.pk)
            continue
        del wanted[row.from_at]
        if new.until_at != was.until_at:
            if any(end is not None and end < now for end in (was.until_at, new.until_at)):
                raise ChangesThePast(row)
            row.until_at = new.until_at
            ends.append(row)
    if any(kept.from_at < now for kept in wanted.values()):
        raise ChangesThePast(organisation_id)
    Selection.objects.filter(pk__in=gone).delete()
    for row in ends:
        row.save(update_fields=["until_at"])
    Selection.objects.bulk_create(
        Selection(
            organisation_id=organisation_id,
            category=category,
            plan_version_id=kept.version_id,
            steps=kept.steps,
            from_at=kept.from_at,
            until_at=kept.until_at,
        )
        for kept in wanted.values()
    )


def _store_terms(
    organisation_id: int,
    contracts: Sequence[MainContract],
    after: Timeline,
    *,
    actor: str,
    now: datetime,
    today: date,
) -> None:
    """Withdraw what is no more, note whether the last one renews, and add what is new."""
    kept = {term.id for term in after.terms if term.id is not None}
    remaining = [contract for contract in contracts if contract.pk in kept]
    withdrawn = [contract for contract in contracts if contract.pk not in kept]
    new = [term for term in after.terms if term.id is None]
    if any(contract.first_on <= today for contract in withdrawn) or any(
        term.first_on < today for term in new
    ):
        raise ChangesThePast(organisation_id)
    if tuple(stored.term(contract) for contract in remaining) + tuple(new) != after.terms:
        raise ChangesThePast(organisation_id)
    MainContract.objects.filter(pk__in=[contract.pk for contract in withdrawn]).update(
        withdrawn_at=now, withdrawn_by=actor
    )
    # Only the last term says it, so that what is over is never looked through for what renews.
    last = remaining[-1].pk if remaining and not new else None
    for contract in remaining:
        renews = after.renews and contract.pk == last
        if contract.renews != renews:
            MainContract.objects.filter(pk=contract.pk).update(renews=renews)
    MainContract.objects.bulk_create(
        MainContract(
            organisation_id=organisation_id,
            anchor_on=term.anchor_on,
            months_before=term.months_before,
            months=term.months,
            first_on=term.first_on,
            end_on=term.end_on,
            renews=after.renews,
            ordered_at=now,
            ordered_by=actor,
        )
        for term in new
    )


def _told(timeline: Timeline, now: datetime) -> Json:
    """Return what a timeline says of the present and of what is to come, for the trail."""
    return {
        "licence": _told_spans(timeline.licence, now),
        "support": _told_spans(timeline.support, now),
        "terms": [
            {"first_on": term.first_on.isoformat(), "end_on": term.end_on.isoformat()}
            for term in timeline.terms
        ],
        "renews": timeline.renews,
    }


def _told_spans(spans: Sequence[Span], now: datetime) -> Json:
    return [
        {
            "version": f"{span.terms.plan_code} v{span.terms.version_number}",
            "steps": span.steps,
            "from_at": span.from_at.isoformat(),
            "until_at": None if span.until_at is None else span.until_at.isoformat(),
        }
        for span in spans
        if span.until_at is None or span.until_at > now
    ]
