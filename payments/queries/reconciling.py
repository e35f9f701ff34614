"""Our captures and refunds as entries to be held against a provider's, and what is left to settle."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min, Q, QuerySet

from payments.enums import LIVE, REFUND_LIVE, ChargeState, RefundState
from payments.gateways.base import Account, Record, RecordKind, RecordState
from payments.models import (
    Charge,
    Difference,
    Payable,
    PaymentMethod,
    Reconciliation,
    Refund,
)
from payments.rules import numbers as rules
from payments.rules.matching import Entry, Standing, Way

API = "api"


@dataclass(frozen=True, slots=True)
class Window:
    """[since, until): when our side was decided that the provider's books have to show."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Rows:
    """Our side, and the rows behind its entries by their names."""

    entries: tuple[Entry, ...]
    charges: Mapping[str, Charge]
    refunds: Mapping[str, Refund]


_THEIRS = {
    RecordState.COMPLETED: Standing.MOVED,
    RecordState.PENDING: Standing.OPEN,
    RecordState.REFUSED: Standing.NOTHING,
}


def theirs(records: Iterable[Record]) -> tuple[Entry, ...]:
    """Return a provider's records as entries."""
    return tuple(
        Entry(
            way=Way.IN if record.kind is RecordKind.CAPTURE else Way.OUT,
            standing=_THEIRS[record.state],
            amount=record.amount,
            currency=record.currency,
            reference=record.reference,
            key=record.key,
            at=record.at,
            number=record.number,
            parent=record.parent,
        )
        for record in records
    )


def ours(slug: str, account: Account, told: Sequence[Entry], window: Window | None) -> Rows:
    """Return our side: what was decided in the window, and all that the provider's side names."""
    keys = {entry.key for entry in told if entry.key}
    references = {entry.reference for entry in told if entry.reference}
    parents = {entry.parent for entry in told if entry.parent}
    is_told = Q(key__in=keys) | Q(capture__in=references | parents)
    charges = {
        f"charge:{charge.pk}": charge
        for charge in _charges(slug, account).filter(is_told | _captured_in(window)).order_by("pk")
    }
    given_back = Q(key__in=keys) | Q(reference__in=references) | Q(charge__capture__in=parents)
    if window is not None:
        given_back |= _given_back_in(window)
    refunds = {
        f"refund:{refund.pk}": refund
        for refund in Refund.objects.filter(
            given_back,
            charge__gateway=slug,
            charge__environment=account.environment,
            charge__merchant=account.merchant,
        )
        .select_related("charge")
        .order_by("pk")
    }
    return Rows(
        entries=(
            *(_of_charge(name, charge, window) for name, charge in charges.items()),
            *(_of_refund(name, refund, window) for name, refund in refunds.items()),
        ),
        charges=charges,
        refunds=refunds,
    )


def first_intent(slug: str, account: Account, window: Window) -> datetime:
    """Return when the oldest was begun of what was decided in the window, or its beginning."""
    begun: list[datetime | None] = [
        _charges(slug, account).filter(_captured_in(window)).aggregate(at=Min("created_at"))["at"],
        Refund.objects.filter(_given_back_in(window), charge__gateway=slug).aggregate(
            at=Min("created_at")
        )["at"],
    ]
    return min([window.since, *(at for at in begun if at is not None)])


def reconciled_until(slug: str, account: Account) -> datetime | None:
    """Return until when a provider's own books were compared without a gap; None: never."""
    until: datetime | None = (
        _runs(slug, account).filter(source=API).aggregate(at=Max("until"))["at"]
    )
    return until


def first_charge_at(slug: str, account: Account) -> datetime | None:
    """Return when the first attempt was made with an account."""
    at: datetime | None = _charges(slug, account).aggregate(at=Min("created_at"))["at"]
    return at


def is_used(slug: str, account: Account) -> bool:
    """Return whether anybody pays or paid with an account, as far as our books know."""
    return (
        _charges(slug, account).exists()
        or PaymentMethod.objects.filter(
            gateway=slug, environment=account.environment, merchant=account.merchant
        ).exists()
    )


def is_clean_since(slug: str, account: Account, at: datetime) -> bool:
    """Return whether the last comparison that reaches to `at` was made since, and found nothing.

    What was found and has been settled since then counts as nothing. Rule: F37.
    """
    last = _runs(slug, account).filter(at__gte=at, until__gte=at).order_by("-at", "-pk").first()
    if last is None:
        return False
    return not open_differences().filter(gateway=slug, environment=account.environment).exists()


def open_differences() -> "QuerySet[Difference]":
    """Return what somebody still has to say something of, the oldest first."""
    return Difference.objects.filter(resolved_at=None).order_by("found_at", "pk")


def payables_by_number(numbers: Iterable[str]) -> dict[str, Payable]:
    """Return payables by the numbers that a provider tells, as far as they are any's."""
    read = {told: rules.read(told) for told in numbers if told}
    wanted = {each.number for meanings in read.values() for each in meanings}
    known = {each.number: each for each in Payable.objects.filter(number__in=wanted)}
    return {
        told: next(known[each.number] for each in meanings if each.number in known)
        for told, meanings in read.items()
        if any(each.number in known for each in meanings)
    }


def _charges(slug: str, account: Account) -> "QuerySet[Charge]":
    return Charge.objects.filter(
        gateway=slug, environment=account.environment, merchant=account.merchant
    )


def _runs(slug: str, account: Account) -> "QuerySet[Reconciliation]":
    return Reconciliation.objects.filter(
        gateway=slug, environment=account.environment, merchant=account.merchant
    )


def _captured_in(window: Window | None) -> Q:
    if window is None:
        return Q(pk__in=[])
    return Q(state=ChargeState.SUCCEEDED, decided_at__gte=window.since, decided_at__lt=window.until)


def _given_back_in(window: Window) -> Q:
    return Q(state=RefundState.SUCCEEDED, decided_at__gte=window.since, decided_at__lt=window.until)


def _is_in(window: Window | None, decided_at: datetime | None) -> bool:
    return (
        window is not None and decided_at is not None and window.since <= decided_at < window.until
    )


def _of_charge(name: str, charge: Charge, window: Window | None) -> Entry:
    if charge.state == ChargeState.SUCCEEDED:
        standing = Standing.MOVED
    else:
        standing = Standing.OPEN if charge.state in LIVE else Standing.NOTHING
    return Entry(
        way=Way.IN,
        standing=standing,
        amount=charge.amount,
        currency=charge.currency,
        reference=charge.capture,
        key=charge.key,
        at=charge.decided_at or charge.created_at,
        number=charge.number_there,
        name=name,
        is_expected=_is_in(window, charge.decided_at),
    )


def _of_refund(name: str, refund: Refund, window: Window | None) -> Entry:
    if refund.state == RefundState.SUCCEEDED:
        standing = Standing.MOVED
    else:
        standing = Standing.OPEN if refund.state in REFUND_LIVE else Standing.NOTHING
    return Entry(
        way=Way.OUT,
        standing=standing,
        amount=refund.amount,
        currency=refund.currency,
        reference=refund.reference,
        key=refund.key,
        at=refund.decided_at or refund.created_at,
        number=refund.charge.number,
        parent=refund.charge.capture,
        name=name,
        # What staff gave back outside the portal need not have gone through the provider.
        is_expected=not refund.is_by_hand and _is_in(window, refund.decided_at),
    )
