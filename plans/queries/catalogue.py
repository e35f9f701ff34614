"""What is sold, by whom, and what an organisation has selected.

Money reads fresh. What only shows something to a reader asks the `…_for_pages` functions: they
answer from this process's memory and are at most `STALE_AFTER` seconds behind the catalogue.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from accounts.models import Organisation
from plans import models, rules
from plans.enums import Aggregation, Category, TaxCategory
from plans.models import (
    CancellationTerms,
    MeterPrice,
    PlanPrice,
    PlanVersion,
    Selection,
    TermsOfUse,
    VendorVersion,
)

STALE_AFTER = 5.0

T = TypeVar("T")
_kept: dict[Hashable, tuple[float, object]] = {}


class NoVendor(LookupError):
    """No catalogue has been applied yet."""

    def __init__(self) -> None:
        super().__init__("No vendor yet. Apply a catalogue: manage.py apply_catalogue FILE")


class Selected(NamedTuple):
    """A selection as the month end reads it."""

    organisation_id: int
    category: Category
    version_id: int
    steps: int


def vendor() -> VendorVersion:
    """Return the vendor as last described. Raises NoVendor."""
    newest = VendorVersion.objects.order_by("-number").first()
    if newest is None:
        raise NoVendor
    return newest


def vendor_for_pages() -> VendorVersion:
    """Return the vendor, to be shown and not to be stored; at most five seconds old. Raises NoVendor."""
    return _remembered("vendor", vendor)


def vendor_zone() -> ZoneInfo:
    """Return the billing time zone. Raises NoVendor. Rule: domain.md 3.1."""
    # Asked for every batch of usage: building the query would cost five times what it does.
    with connection.cursor() as cursor:
        cursor.execute("SELECT time_zone FROM plans_vendorversion ORDER BY number DESC LIMIT 1")
        found = cursor.fetchone()
    if found is None:
        raise NoVendor
    return ZoneInfo(found[0])


def zone_for_pages() -> ZoneInfo:
    """Return the billing time zone, at most five seconds old. Raises NoVendor."""
    return ZoneInfo(vendor_for_pages().time_zone)


def terms_of_use() -> TermsOfUse | None:
    """Return the newest terms of use, if the catalogue has any."""
    return TermsOfUse.objects.order_by("-number").first()


def cancellation_terms() -> CancellationTerms | None:
    """Return what whoever cancels now agrees to: the newest text, if the catalogue has any."""
    return CancellationTerms.objects.order_by("-number").first()


def meters() -> tuple[rules.Meter, ...]:
    """Return every meter, in the catalogue's order."""
    return tuple(_meter(row) for row in models.Meter.objects.order_by("position", "pk"))


def meters_for_pages() -> tuple[rules.Meter, ...]:
    """Return every meter, in the catalogue's order; at most five seconds old."""
    return _remembered("meters", meters)


def terms(version_ids: Iterable[int], currency: str) -> dict[int, rules.PlanTerms]:
    """Return what plan versions promise in a currency, by version, in two statements.

    A version without a price in it is left out. Its meters come in the catalogue's order; one
    that it does not price is not among them (B-03). Rule: B-02, B-12.
    """
    return {version_id: found for version_id, (found, _) in _terms(version_ids, currency).items()}


def terms_for_pages(version_ids: Iterable[int], currency: str) -> dict[int, rules.PlanTerms]:
    """Return what `terms` returns; names of plans and meters are at most five seconds old.

    Only versions in use are remembered: their prices cannot change any more, so that also a bill
    may be made from them. Rule: B-02.
    """
    wanted = set(version_ids)
    now = time.monotonic()
    remembered = {
        version_id: kept for version_id in wanted if (kept := _recall((version_id, currency), now))
    }
    read = _terms(wanted - remembered.keys(), currency) if wanted - remembered.keys() else {}
    for version_id, (found, in_use) in read.items():
        if in_use:
            _keep((version_id, currency), now, found)
    return {
        version_id: cast("rules.PlanTerms", kept) for version_id, kept in remembered.items()
    } | {version_id: found for version_id, (found, _) in read.items()}


def fee_selections(organisation_ids: Sequence[int], at: datetime) -> list[Selected]:
    """Return the selections whose fee the month that begins at `at` carries, in one statement.

    A change at that very instant counts from the next month: the selection that ends then still
    carries the fee. One that ends then and is followed by none, as after a cancellation, does not.
    Rule: S1-26, B-02.
    """
    follows = Selection.objects.filter(
        organisation=OuterRef("organisation"), category=OuterRef("category"), from_at=at
    )
    rows = (
        Selection.objects.filter(organisation_id__in=organisation_ids, from_at__lt=at)
        .filter(Q(until_at=None) | Q(until_at__gt=at) | (Q(until_at=at) & Exists(follows)))
        .order_by("organisation_id", "category")
        .values_list("organisation_id", "category", "plan_version_id", "steps")
    )
    return [
        Selected(organisation_id, Category(category), version_id, steps)
        for organisation_id, category, version_id, steps in rows
    ]


def selections_at(organisation: Organisation, instant: datetime) -> dict[Category, Selection]:
    """Return what an organisation may use at `instant`, by category, with version and plan.

    Rule: S1-25 (a change holds at once; half open).
    """
    rows = (
        Selection.objects.filter(organisation=organisation, from_at__lte=instant)
        .filter(Q(until_at=None) | Q(until_at__gt=instant))
        .select_related("plan_version__plan")
    )
    return {Category(row.category): row for row in rows}


def version_on_sale(plan_code: str, day: date) -> PlanVersion | None:
    """Return the version of a plan that is sold on a day of the billing time zone: the newest."""
    return (
        PlanVersion.objects.filter(plan__code=plan_code, on_sale_from__lte=day)
        .filter(Q(on_sale_until=None) | Q(on_sale_until__gt=day))
        .select_related("plan")
        .order_by("-number")
        .first()
    )


def forget() -> None:
    """Forget what pages remember: after a catalogue was applied, and between tests."""
    _kept.clear()


def _remembered(key: Hashable, read: Callable[[], T]) -> T:
    now = time.monotonic()
    kept = _recall(key, now)
    if kept is None:
        kept = read()
        _keep(key, now, kept)
    return cast("T", kept)


def _recall(key: Hashable, now: float) -> object | None:
    since, kept = _kept.get(key, (0.0, None))
    return kept if now - since < STALE_AFTER else None


def _keep(key: Hashable, now: float, value: object) -> None:
    if len(_kept) > 1000:
        _kept.clear()
    _kept[key] = (now, value)


def _terms(version_ids: Iterable[int], currency: str) -> dict[int, tuple[rules.PlanTerms, bool]]:
    """Return what versions promise, and whether a selection uses them."""
    used = Selection.objects.filter(plan_version=OuterRef("version"))
    prices = (
        PlanPrice.objects.filter(version_id__in=set(version_ids), currency=currency)
        .select_related("version__plan")
        .annotate(in_use=Exists(used))
        .order_by("version_id")
    )
    found = {price.version_id: price for price in prices}
    promised: dict[int, list[rules.MeterTerms]] = {version_id: [] for version_id in found}
    for row in (
        MeterPrice.objects.filter(version_id__in=found, currency=currency)
        .select_related("meter")
        .order_by("version_id", "meter__position", "meter_id")
    ):
        promised[row.version_id].append(_meter_terms(row))
    return {
        version_id: (_plan_terms(price, tuple(promised[version_id])), price.in_use)
        for version_id, price in found.items()
    }


def _meter(row: models.Meter) -> rules.Meter:
    return rules.Meter(
        id=row.pk,
        code=row.code,
        aggregation=Aggregation(row.aggregation),
        name_ja=row.name_ja,
        name_en=row.name_en,
        unit_ja=row.unit_ja,
        unit_en=row.unit_en,
    )


def _meter_terms(row: MeterPrice) -> rules.MeterTerms:
    return rules.MeterTerms(
        meter=_meter(row.meter),
        included=row.included,
        tiers=rules.tiers_from_json(row.tiers),
    )


def _plan_terms(price: PlanPrice, promised: tuple[rules.MeterTerms, ...]) -> rules.PlanTerms:
    version, plan = price.version, price.version.plan
    return rules.PlanTerms(
        version_id=version.pk,
        version_number=version.number,
        category=Category(plan.category),
        plan_code=plan.code,
        name_ja=plan.name_ja,
        name_en=plan.name_en,
        currency=price.currency,
        net=price.net,
        accounts_per_step=version.accounts_per_step,
        is_free=plan.is_free,
        tax_category=TaxCategory(plan.tax_category),
        meters=promised,
    )
