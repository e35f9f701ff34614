"""Our captures and refunds held against the provider's own books. Rule: I08, F37.

What the provider's books tell more than we know is settled first, through the services that settle
it anyway; what then still differs is a row that staff have to say something of.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from core import audit, work
from core.canonical import Json
from core.work import ReasonMissing
from payments import jobs
from payments.enums import ChargeState, DifferenceKind
from payments.gateways import registry
from payments.gateways.base import Gateway, NotTold, Record
from payments.models import Charge, Difference, Reconciliation
from payments.queries import reconciling as queries
from payments.queries.reconciling import API, Rows, Window
from payments.rules import matching
from payments.rules.matching import Comparison, Entry, Finding, Standing, Way
from payments.services import charges, letters, refunds, stops
from payments.services.moves import MovedBefore, move_charge
from plans import queries as plans

log = logging.getLogger(__name__)

ACTOR = "system:reconciliation"
# A provider's report may be some hours behind; what is younger is compared the next time.
REPORTS_LATE = timedelta(hours=4)
# The provider's clock, and its day, are not ours.
_AROUND = timedelta(days=1)
_FOUND_BY = "reconciliation"
_ALERTED = 20


class NothingToCompare(Exception):
    """The time asked for is not over, or too young for the provider's report."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of a comparison. `found`: the open differences that it saw, new or not."""

    run: Reconciliation
    found: tuple[Difference, ...]
    new: int
    resolved: int
    strangers: int


@dataclass(frozen=True, slots=True)
class _Compared:
    rows: Rows
    comparison: Comparison


def reconcile(
    *, slug: str, since: datetime, until: datetime, actor: str = ACTOR, now: datetime
) -> Reconciled:
    """Compare what was decided in [since, until) with what the provider tells by its API.

    Raises NoSuchGateway, NothingToCompare, NotTold, GatewayUnreachable, GatewayMisconfigured,
    AnswerLost; nothing is stored then.
    """
    gateway = registry.gateway(slug)
    window = Window(since, min(until, now - REPORTS_LATE))
    if window.since >= window.until:
        raise NothingToCompare
    first = queries.first_intent(slug, gateway.account, window) - _AROUND
    last = min(window.until + _AROUND, now)
    records = list(gateway.records(first, last))
    return _reconcile(gateway, records, window, window, API, actor, now)


def reconcile_file(
    *,
    slug: str,
    name: str,
    file: bytes,
    window: Window | None = None,
    actor: str = ACTOR,
    now: datetime,
) -> Reconciled:
    """Compare a file that the provider handed out; what it says was paid out is noted.

    `window`: when what the file has to hold was decided; None: only what it holds is judged.
    Raises NoSuchGateway, NotTold, ValueError (the file cannot be read), NothingToCompare.
    """
    gateway = registry.gateway(slug)
    records = list(gateway.records_in(file))
    if not records and window is None:
        raise NothingToCompare
    span = window or Window(
        min(each.at for each in records), max(each.at for each in records) + _AROUND
    )
    done = _reconcile(gateway, records, span, window, name[:200], actor, now)
    _note_paid_out(gateway, records)
    return done


def reconcile_days(*, slug: str, since: date, until: date, now: datetime) -> Reconciled | None:
    """Compare whole days of the billing zone, the last not included; None where nothing is told.

    Raises NoSuchGateway, GatewayUnreachable, GatewayMisconfigured, AnswerLost.
    """
    zone = plans.vendor_zone()
    begin, end = (datetime.combine(day, datetime.min.time(), zone) for day in (since, until))
    try:
        return reconcile(slug=slug, since=begin, until=end, now=now)
    except (NotTold, NothingToCompare):
        return None


def default_window(slug: str, now: datetime) -> Window:
    """Return from where the last comparison ended to what the provider's report shows by now."""
    account = registry.gateway(slug).account
    until = now - REPORTS_LATE
    since = (
        queries.reconciled_until(slug, account)
        or queries.first_charge_at(slug, account)
        or until - timedelta(days=1)
    )
    return Window(since, until)


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


def plan(now: datetime) -> None:
    """Ask for the nightly comparison of each provider that tells: whole days, back to the last.

    A night that was missed, or in which the provider could not be asked, is made up for.
    """
    try:
        zone = plans.vendor_zone()
    except plans.NoVendor:
        return
    # Of the last day that is over and that reports show.
    until_on = (now - REPORTS_LATE).astimezone(zone).date()
    until = datetime.combine(until_on, datetime.min.time(), zone)
    for slug, gateway in registry.gateways().items():
        last = queries.reconciled_until(slug, gateway.account)
        since = last or queries.first_charge_at(slug, gateway.account)
        key = f"{slug}:{until_on}"
        if since is None or since >= until or work.was_asked(jobs.RECONCILE, key):
            continue
        with transaction.atomic():
            jobs.RECONCILE.enqueue(
                key=key,
                due_at=now,
                payload={
                    "gateway": slug,
                    "since": since.astimezone(zone).date().isoformat(),
                    "until": until_on.isoformat(),
                },
            )


# --- comparing ---


def _reconcile(
    gateway: Gateway,
    records: Sequence[Record],
    span: Window,
    window: Window | None,
    source: str,
    actor: str,
    now: datetime,
) -> Reconciled:
    told = queries.theirs(records)
    prefix = plans.vendor().invoice_prefix
    compared = _compare(gateway, told, window, prefix)
    if _settle(gateway, compared, now):
        compared = _compare(gateway, told, window, prefix)
    return _store(gateway, compared, span, source, actor, now)


def _compare(
    gateway: Gateway, told: Sequence[Entry], window: Window | None, prefix: str
) -> _Compared:
    rows = queries.ours(gateway.slug, gateway.account, told, window)
    return _Compared(rows, matching.compare(rows.entries, told, prefix=prefix))


def _settle(gateway: Gateway, compared: _Compared, now: datetime) -> bool:
    """Have what the provider has decided, and we have not, looked up; return whether any was."""
    done = False
    for finding in compared.comparison.different:
        row, told = finding.ours, finding.theirs[0] if finding.theirs else None
        if row is not None and told is not None and row.standing is Standing.OPEN:
            _look(row, told, compared.rows, now)
            done = True
        elif row is None and told is not None:
            done = _book_taken_back(gateway, told, now) or done
    return done


def _look(row: Entry, told: Entry, rows: Rows, now: datetime) -> None:
    if row.name in rows.refunds:
        refunds.look(refund_id=rows.refunds[row.name].pk, now=now)
        return
    charge = rows.charges[row.name]
    if charge.state == ChargeState.PREPARED:
        _doubt(charge, told.at, now)
    try:
        charges.look(charge_id=charge.pk, now=now)
    except charges.ForAPerson:
        log.info("the provider's books brought no decision", extra={"charge": charge.pk})


@transaction.atomic
def _doubt(charge: Charge, sent_at: datetime, now: datetime) -> None:
    """Note that an attempt was sent that our books, restored from a backup, only intend. Rule: F37."""
    accounts.lock(charge.organisation_id)
    try:
        move_charge(
            charge,
            ChargeState.SENT,
            actor=ACTOR,
            now=now,
            called_at=sent_at,
            sent_at=sent_at,
            step="capture",
        )
        move_charge(charge, ChargeState.UNDECIDED, actor=ACTOR, now=now, code="in_their_books")
    except MovedBefore:
        log.info("an attempt was sent meanwhile", extra={"charge": charge.pk})


def _book_taken_back(gateway: Gateway, told: Entry, now: datetime) -> bool:
    """Book money that went back past us, of a capture of ours; return whether it is booked. Rule: F19."""
    if told.way is not Way.OUT or told.standing is not Standing.MOVED or not told.parent:
        return False
    charge = Charge.objects.filter(
        gateway=gateway.slug,
        environment=gateway.account.environment,
        merchant=gateway.account.merchant,
        capture=told.parent,
        state=ChargeState.SUCCEEDED,
        currency=told.currency,
    ).first()
    if charge is None:
        return False
    booked = refunds.record_reversal(
        charge_id=charge.pk,
        reference=told.reference,
        amount=told.amount,
        code="in_their_books",
        now=now,
        actor=ACTOR,
    )
    return booked is not None


# --- storing ---


@transaction.atomic
def _store(
    gateway: Gateway, compared: _Compared, span: Window, source: str, actor: str, now: datetime
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
                f"{each.gateway} {each.reference} {each.detail['number']}: {each.kind}"
                for each in new[:_ALERTED]
            ],
            organisation_id=None,
            now=now,
        )
    return Reconciled(run, found, len(new), resolved, len(compared.comparison.strangers))


def _kinds(compared: _Compared) -> Iterator[tuple[DifferenceKind, Finding]]:
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
    """Charge nobody automatically for whom money came in that our books do not know. Rule: F37."""
    for each in new:
        theirs = each.detail["theirs"] or {}
        if (
            each.kind == DifferenceKind.MISSING_HERE
            and theirs.get("way") == Way.IN.value
            and each.organisation_id is not None
        ):
            stops.stop(
                scope=stops.of_organisation(each.organisation_id),
                reason=f"{each.gateway} {each.reference}: money came in that our books do not know",
                actor=ACTOR,
                now=now,
            )


@transaction.atomic
def _note_paid_out(gateway: Gateway, records: Sequence[Record]) -> None:
    """Note on which day the provider paid out what it had bought."""
    for record in records:
        if record.paid_out_on is not None and record.key:
            Charge.objects.filter(
                gateway=gateway.slug,
                environment=gateway.account.environment,
                merchant=gateway.account.merchant,
                key=record.key,
                state=ChargeState.SUCCEEDED,
                settled_on=None,
            ).update(settled_on=record.paid_out_on)
