from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from core import audit
from core.money import Rounding
from plans import models, queries
from plans.enums import Aggregation, CancellationEnds, Category, TaxCategory
from plans.rules import catalogue as values
from plans.rules import changes as rules
from plans.rules.changes import Change
from plans.rules.parsing import Known, parse
from plans.rules.terms import tiers_from_json, tiers_to_json
from plans.services import price_changes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a catalogue changes, or has changed; and what its author should look at again."""

    changes: tuple[Change, ...]
    warnings: tuple[values.Problem, ...]


def plan_catalogue(text: str, *, now: datetime) -> Outcome:
    """Return what `apply_catalogue` would change, and change nothing. Raises CatalogueRefused."""
    return _outcome(text, now)


@transaction.atomic
def apply_catalogue(text: str, *, actor: str, now: datetime) -> Outcome:
    """Bring what is stored to what a catalogue file says; what it leaves out stays.

    A file that says what is stored changes nothing. A version that applies to everyone is announced
    by it; who has an older one is reached by jobs. Raises CatalogueRefused, and has then changed
    nothing. Rule: B-02.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('catalogue'), 0)")
    outcome = _outcome(text, now)
    for change in outcome.changes:
        _store(change, actor, now)
        audit.record(
            actor=actor,
            action="catalogue.added" if change.is_new else "catalogue.changed",
            subject=str(change.entry),
            at=now,
            details={"changes": list(change.details)},
        )
    transaction.on_commit(queries.forget)
    return outcome


def _outcome(text: str, now: datetime) -> Outcome:
    stored = _stored()
    vendor = stored.catalogue.vendor
    known = Known(
        currencies=vendor.currencies if vendor else (),
        meters=frozenset(stored.meter_positions),
    )
    parsed = parse(text, known)
    described = parsed.catalogue.vendor or vendor
    if described is None:
        raise queries.NoVendor
    today = now.astimezone(ZoneInfo(described.time_zone)).date()
    return Outcome(tuple(rules.changes(stored, parsed.catalogue, today)), parsed.warnings)


def _stored() -> rules.Stored:
    """Return the whole catalogue as it stands, in as many statements whatever it holds."""
    meters = list(models.Meter.objects.order_by("position", "pk"))
    plans = list(models.Plan.objects.order_by("position", "pk"))
    versions = list(models.PlanVersion.objects.select_related("plan").order_by("plan_id", "number"))
    used = set(models.Selection.objects.values_list("plan_version_id", flat=True).distinct())
    announced = {row.version_id: row for row in models.PriceChange.objects.all()}
    keys = {row.pk: (row.plan.code, row.number) for row in versions}
    return rules.Stored(
        catalogue=values.Catalogue(
            vendor=_vendor(),
            terms=tuple(
                values.Terms(row.number, row.text_ja, row.text_en)
                for row in models.TermsOfUse.objects.order_by("number")
            ),
            cancellation_terms=tuple(
                _cancellation_terms(row)
                for row in models.CancellationTerms.objects.order_by("number")
            ),
            meters=tuple(_meter(row) for row in meters),
            plans=tuple(_plan(row) for row in plans),
            versions=_versions(versions, announced),
        ),
        meter_positions={row.code: row.position for row in meters},
        plan_positions={row.code: row.position for row in plans},
        used=frozenset(keys[pk] for pk in used | announced.keys()),
        withdrawn=frozenset(
            keys[pk] for pk, change in announced.items() if change.withdrawn_at is not None
        ),
    )


def _vendor() -> values.Vendor | None:
    try:
        row = queries.vendor()
    except queries.NoVendor:
        return None
    return values.Vendor(
        name_ja=row.name_ja,
        name_en=row.name_en,
        postal_code=row.postal_code,
        address_ja=row.address_ja,
        address_en=row.address_en,
        country=row.country,
        registration_number=row.registration_number,
        time_zone=row.time_zone,
        tax_rounding=Rounding(row.tax_rounding),
        currencies=tuple(row.currencies),
        support_email=row.support_email,
        support_url=row.support_url,
        plan_page_url=row.plan_page_url,
        invoice_prefix=row.invoice_prefix,
        spot_may_span_renewal=row.spot_may_span_renewal,
        cancellation_ends=CancellationEnds(row.cancellation_ends),
        data_kept_days=row.data_kept_days,
    )


def _cancellation_terms(row: models.CancellationTerms) -> values.CancellationTerms:
    return values.CancellationTerms(
        number=row.number,
        title_ja=row.title_ja,
        title_en=row.title_en,
        intro_ja=row.intro_ja,
        intro_en=row.intro_en,
        boxes=tuple((box["ja"], box["en"]) for box in row.boxes),
    )


def _meter(row: models.Meter) -> values.Meter:
    return values.Meter(
        code=row.code,
        name_ja=row.name_ja,
        name_en=row.name_en,
        unit_ja=row.unit_ja,
        unit_en=row.unit_en,
        aggregation=Aggregation(row.aggregation),
        consumed_unit=row.consumed_unit,
    )


def _plan(row: models.Plan) -> values.Plan:
    return values.Plan(
        code=row.code,
        category=Category(row.category),
        name_ja=row.name_ja,
        name_en=row.name_en,
        is_free=row.is_free,
        tax_category=TaxCategory(row.tax_category),
    )


def _versions(
    rows: list[models.PlanVersion], announced: Mapping[int, models.PriceChange]
) -> tuple[values.Version, ...]:
    prices: dict[int, dict[str, int]] = {row.pk: {} for row in rows}
    usage: dict[int, dict[tuple[str, str], values.Usage]] = {row.pk: {} for row in rows}
    for price in models.PlanPrice.objects.order_by("pk"):
        prices[price.version_id][price.currency] = price.net
    for metered in models.MeterPrice.objects.select_related("meter").order_by("pk"):
        usage[metered.version_id][metered.meter.code, metered.currency] = values.Usage(
            metered.included, tiers_from_json(metered.tiers)
        )
    return tuple(
        values.Version(
            plan_code=row.plan.code,
            number=row.number,
            on_sale_from=row.on_sale_from,
            on_sale_until=row.on_sale_until,
            accounts_per_step=row.accounts_per_step,
            prices=prices[row.pk],
            usage=usage[row.pk],
            applies_to_everyone_from=_applies_from(announced.get(row.pk)),
        )
        for row in rows
    )


def _applies_from(change: models.PriceChange | None) -> date | None:
    return change.effective_on if change and change.withdrawn_at is None else None


def _store(change: Change, actor: str, now: datetime) -> None:
    match change.entry:
        case values.Vendor() as vendor:
            _store_vendor(vendor, now)
        case values.Terms() as terms:
            models.TermsOfUse.objects.create(
                number=terms.number, text_ja=terms.text_ja, text_en=terms.text_en, created_at=now
            )
        case values.CancellationTerms() as agreed:
            boxes = [{"ja": japanese, "en": english} for japanese, english in agreed.boxes]
            models.CancellationTerms.objects.create(
                created_at=now, **_columns(agreed) | {"boxes": boxes}
            )
        case values.Meter() as meter:
            models.Meter.objects.update_or_create(
                code=meter.code, defaults=_columns(meter) | {"position": change.position}
            )
        case values.Plan() as plan:
            models.Plan.objects.update_or_create(
                code=plan.code, defaults=_columns(plan) | {"position": change.position}
            )
        case values.Version() as version:
            row = _store_version(version)
            if version.applies_to_everyone_from is not None:
                price_changes.announce(
                    version_id=row.pk,
                    effective_on=version.applies_to_everyone_from,
                    actor=actor,
                    now=now,
                )


def _store_vendor(vendor: values.Vendor, now: datetime) -> None:
    newest = models.VendorVersion.objects.order_by("-number").first()
    models.VendorVersion.objects.create(
        number=newest.number + 1 if newest else 1,
        created_at=now,
        **_columns(vendor) | {"currencies": list(vendor.currencies)},
    )


def _store_version(version: values.Version) -> models.PlanVersion:
    """Store a version that is new or not in use; of one in use, only the end of its sale differs."""
    plan = models.Plan.objects.get(code=version.plan_code)
    row, created = models.PlanVersion.objects.update_or_create(
        plan=plan,
        number=version.number,
        defaults={
            "on_sale_from": version.on_sale_from,
            "on_sale_until": version.on_sale_until,
            "accounts_per_step": version.accounts_per_step,
        },
    )
    if not created:
        if (
            models.Selection.objects.filter(plan_version=row).exists()
            or models.PriceChange.objects.filter(version=row).exists()
        ):
            return row
        row.prices.all().delete()
        row.meter_prices.all().delete()
    models.PlanPrice.objects.bulk_create(
        models.PlanPrice(version=row, currency=currency, net=net)
        for currency, net in version.prices.items()
    )
    meters = {meter.code: meter for meter in models.Meter.objects.all()}
    models.MeterPrice.objects.bulk_create(
        models.MeterPrice(
            version=row,
            meter=meters[code],
            currency=currency,
            included=usage.included,
            tiers=tiers_to_json(usage.tiers),
        )
        for (code, currency), usage in version.usage.items()
    )
    return row


def _columns(
    entry: values.Vendor | values.CancellationTerms | values.Meter | values.Plan,
) -> dict[str, Any]:
    """Return an entry's fields as the columns of the same names."""
    return {
        field.name: getattr(entry, field.name) for field in fields(entry) if field.name != "line"
    }
