"""What differs between a provider's books and ours is a row, until somebody has said what of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from core import audit
from core.canonical import Json
from core.work import ReasonMissing
from payments.enums import DifferenceKind
from payments.gateways.base import Gateway
from payments.models import Difference, Reconciliation
from payments.queries import reconciling as queries
from payments.queries.reconciling import Rows, Window
from payments.rules.matching import Comparison, Entry, Finding, Standing, Way
from payments.services import letters, stops
from payments.services.reconcile.facts import ACTOR, Compared, Reconciled

_FOUND_BY = "reconciliation"
_ALERTED = 20
_NOTHING = Standing.NOTHING.name.lower()


@transaction.atomic
def resolve(*, difference_id: int, resolution: str, actor: str, now: datetime) -> bool:
    """Say what came of a difference; return False where that was said before. Raises ReasonMissing."""
    if not resolution.strip():
        raise ReasonMissing
    organisation_id = Difference.objects.values_list("organisation_id", flat=True).get(
        pk=difference_id
    )
    if organisation_id is not None:
        accounts.lock(organisation_id)
    changed = Difference.objects.filter(pk=difference_id, resolved_at=None).update(
        resolved_at=now, resolved_by=actor, resolution=resolution.strip()[:400]
    )
    if changed:
        audit.record(
            actor=actor,
            action="difference.resolved",
            subject=f"difference:{difference_id}",
            organisation_id=organisation_id,
            at=now,
            details={"resolution": resolution.strip()[:400]},
        )
    return bool(changed)


@transaction.atomic
def store(
    gateway: Gateway, compared: Compared, span: Window, source: str, actor: str, now: datetime
) -> Reconciled:
    different = [_difference(gateway, each, compared.rows, now) for each in _kinds(compared)]
    numbers = {str(each.detail["number"]) for each in different}
    payables = queries.payables_by_number(numbers)
    for each in different:
        payable = payables.get(str(each.detail["number"]))
        if each.organisation_id is None and payable is not None:
            each.organisation_id = payable.organisation_id
    for organisation_id in sorted({each.organisation_id or 0 for each in different} - {0}):
        accounts.lock(organisation_id)
    kept = [_keep(each) for each in different]
    found = tuple(row for row, _ in kept if row is not None)
    new = [row for row, is_new in kept if row is not None and is_new]
    resolved = _resolve_vanished(gateway, compared.comparison, found, now)
    run = Reconciliation.objects.create(
        gateway=gateway.slug,
        environment=gateway.account.environment,
        merchant=gateway.account.merchant,
        since=span.since,
        until=span.until,
        source=source,
        matched=len(compared.comparison.matched),
        different=len(found),
        actor=actor,
        at=now,
    )
    _stop_those_who_may_have_paid(new, now)
    audit.record(
        actor=actor,
        action="reconciliation.done",
        subject=f"reconciliation:{run.pk}",
        at=now,
        details={"gateway": gateway.slug, "source": source, "different": len(found)},
    )
    if new:
        letters.staff_alert(
            _("Our books and a provider's differ"),
            [
                format_lazy(
                    "{} {} {}: {}",
                    each.gateway,
                    each.reference,
                    each.detail["number"],
                    DifferenceKind(each.kind).label,
                )
                for each in new[:_ALERTED]
            ],
            organisation_id=None,
            now=now,
        )
    return Reconciled(run, found, len(new), resolved, len(compared.comparison.strangers))


def _kinds(compared: Compared) -> Iterator[tuple[DifferenceKind, Finding]]:
    for finding in compared.comparison.different:
        if finding.kind is not None:
            yield finding.kind, finding


def _difference(
    gateway: Gateway, found: tuple[DifferenceKind, Finding], rows: Rows, now: datetime
) -> Difference:
    kind, finding = found
    row, told = finding.ours, finding.theirs[0] if finding.theirs else None
    name = row.name if row else ""
    refund, charge = rows.refunds.get(name), rows.charges.get(name)
    if refund is not None:
        charge = refund.charge
    entries = [each for each in (told, row) if each is not None]
    reference = next((each.reference for each in entries if each.reference), "")
    return Difference(
        gateway=gateway.slug,
        environment=gateway.account.environment,
        kind=kind,
        reference=reference or entries[0].key,
        organisation_id=charge.organisation_id if charge else None,
        charge=charge,
        refund=refund,
        found_at=now,
        detail={
            "by": _FOUND_BY,
            "number": next((each.number for each in entries if each.number), ""),
            "ours": _told(row),
            "theirs": _told(told),
        },
    )


def _told(entry: Entry | None) -> Json:
    if entry is None:
        return None
    return {
        "way": entry.way.value,
        "standing": entry.standing.name.lower(),
        "amount": entry.amount,
        "currency": entry.currency,
        "reference": entry.reference,
        "key": entry.key,
        "at": entry.at.isoformat(),
    }


def _keep(found: Difference) -> tuple[Difference | None, bool]:
    """Store a difference unless it is open, or staff have said what of just this; return it if open."""
    same = Difference.objects.filter(
        gateway=found.gateway,
        environment=found.environment,
        kind=found.kind,
        reference=found.reference,
    )
    known = same.filter(resolved_at=None).first()
    if known is not None:
        return known, False
    settled = same.exclude(resolved_by=ACTOR).order_by("-resolved_at").first()
    if settled is not None and settled.detail == found.detail:
        return None, False
    found.save(force_insert=True)
    return found, True


def _resolve_vanished(
    gateway: Gateway, comparison: Comparison, found: Sequence[Difference], now: datetime
) -> int:
    """Resolve what was found before and is the same on both sides now; return how many."""
    agreed: set[str] = set()
    for finding in comparison.matched:
        if finding.ours is not None and finding.theirs:
            agreed |= {finding.ours.reference, finding.ours.key}
            agreed |= {each.reference for each in finding.theirs}
    vanished = Difference.objects.filter(
        gateway=gateway.slug,
        environment=gateway.account.environment,
        resolved_at=None,
        detail__by__in=[_FOUND_BY, "notice"],
        reference__in=agreed - {""},
    ).exclude(pk__in=[each.pk for each in found])
    return vanished.update(
        resolved_at=now,
        resolved_by=ACTOR,
        resolution="Both sides agree at a later comparison.",
    )


def _stop_those_who_may_have_paid(new: Sequence[Difference], now: datetime) -> None:
    """Charge nobody automatically again whose money came in without our books saying so. Rule: F37."""
    for each in new:
        if each.organisation_id is not None and _is_money_unknown_here(each):
            stops.stop(
                scope=stops.of_organisation(each.organisation_id),
                reason=f"{each.gateway} {each.reference}: money came in that our books do not know",
                actor=ACTOR,
                now=now,
            )


def _is_money_unknown_here(found: Difference) -> bool:
    """Return whether the provider took money that our books do not have, or call declined."""
    theirs, ours = found.detail["theirs"] or {}, found.detail["ours"] or {}
    is_taken = theirs.get("way") == Way.IN.value and theirs.get("standing") != _NOTHING
    return is_taken and ours.get("standing", _NOTHING) == _NOTHING
