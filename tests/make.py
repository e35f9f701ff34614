"""Builders: the smallest valid row of each kind, with what a test cares about as keywords."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from accounts import services as accounts
from accounts.enums import Language, Role
from accounts.models import Membership, Organisation
from core.months import start_of_day
from plans import queries as plans
from plans.enums import Aggregation, Category
from plans.models import (
    CancellationTerms,
    MainContract,
    Meter,
    MeterPrice,
    Plan,
    PlanPrice,
    PlanVersion,
    Selection,
    VendorVersion,
)
from plans.rules.timeline import Timeline, start
from plans.services import contracts

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
ACTOR = "system:test"

_count = itertools.count(1)


def organisation(
    *,
    reference: str = "",
    name: str = "Aoba Devices",
    country: str = "JP",
    currency: str = "JPY",
    language: Language = Language.JA,
    customer_since: date = date(2026, 1, 1),
    now: datetime = NOW,
) -> Organisation:
    return accounts.create_organisation(
        accounts.NewOrganisation(
            reference=reference or f"org-{next(_count)}",
            name=name,
            country=country,
            currency=currency,
            language=language,
            customer_since=customer_since,
            billing_postal_code="980-0811",
            billing_address="宮城県仙台市青葉区一番町1-2-3",
        ),
        actor=ACTOR,
        now=now,
    )


def member(
    organisation: Organisation,
    *,
    role: Role = Role.MEMBER,
    email: str = "",
    password: str = PASSWORD,
    now: datetime = NOW,
) -> Membership:
    """Register a person; the first of an organisation becomes its root whatever `role` says."""
    return accounts.register(
        organisation_id=organisation.pk,
        email=email or f"person-{next(_count)}@example.com",
        name="Hanako Sato",
        role=role,
        password=password,
        actor=ACTOR,
        now=now,
    )


def vendor(
    *,
    time_zone: str = "Asia/Tokyo",
    tax_rounding: str = "down",
    country: str = "JP",
    registration_number: str = "T9999901000123",
    number: int = 1,
    now: datetime = NOW,
) -> VendorVersion:
    return VendorVersion.objects.create(
        number=number,
        name_ja="カモメ・コネクト株式会社",
        name_en="Kamome Connect Inc.",
        postal_code="231-0002",
        address_ja="神奈川県横浜市中区海岸通4-5-6",
        address_en="4-5-6 Kaigandori, Naka-ku, Yokohama",
        country=country,
        registration_number=registration_number,
        time_zone=time_zone,
        tax_rounding=tax_rounding,
        currencies=["JPY", "USD"],
        support_email="support@example.com",
        support_url="https://support.example.com/",
        plan_page_url="https://www.example.com/plans",
        invoice_prefix="KC-",
        created_at=now,
    )


def cancellation_terms(*, boxes: int = 3, number: int = 1) -> CancellationTerms:
    """What whoever cancels agrees to, each text by a tick of its own."""
    return CancellationTerms.objects.create(
        number=number,
        title_ja="解約の条件",
        title_en="Cancellation terms",
        intro_ja="すべての項目をご確認ください。",
        intro_en="Please read each point.",
        boxes=[
            {"ja": f"{place}番目の条件に同意します。", "en": f"I agree to point {place}."}
            for place in range(1, boxes + 1)
        ],
        created_at=NOW,
    )


def meter(
    code: str = "api_calls", *, aggregation: Aggregation = Aggregation.SUM, position: int = 1
) -> Meter:
    return Meter.objects.create(
        code=code,
        name_ja=f"{code}の数",
        name_en=code.replace("_", " ").capitalize(),
        unit_ja="回",
        unit_en="calls",
        aggregation=aggregation,
        position=position,
    )


def plan_version(
    code: str = "starter",
    *,
    category: Category = Category.LICENCE,
    number: int = 1,
    prices: Mapping[str, int] | None = None,
    accounts_per_step: int | None = 100,
    is_free: bool = False,
    on_sale_from: date = date(2020, 1, 1),
) -> PlanVersion:
    """A version with net prices in minor units by currency: 5,000 yen and 50 dollars untold."""
    plan, _ = Plan.objects.get_or_create(
        code=code,
        defaults={
            "category": category,
            "name_ja": f"{code}プラン",
            "name_en": code.capitalize(),
            "is_free": is_free,
            "position": 1,
        },
    )
    version = PlanVersion.objects.create(
        plan=plan,
        number=number,
        on_sale_from=on_sale_from,
        accounts_per_step=accounts_per_step if category == Category.LICENCE else None,
    )
    for currency, net in (prices or {"JPY": 5_000, "USD": 5_000}).items():
        PlanPrice.objects.create(version=version, currency=currency, net=net)
    return version


def meter_price(
    version: PlanVersion,
    meter: Meter,
    *,
    currency: str = "JPY",
    included: Decimal | int = 0,
    tiers: Sequence[tuple[str | None, str]] = (),
) -> MeterPrice:
    """What a version includes of a meter, and its tiers: (last unit over or None, minor units)."""
    return MeterPrice.objects.create(
        version=version,
        meter=meter,
        currency=currency,
        included=included,
        tiers=[list(tier) for tier in tiers],
    )


def selection(
    organisation: Organisation,
    version: PlanVersion,
    from_at: datetime,
    until_at: datetime | None = None,
    *,
    steps: int = 1,
) -> Selection:
    return Selection.objects.create(
        organisation=organisation,
        category=version.plan.category,
        plan_version=version,
        steps=steps,
        from_at=from_at,
        until_at=until_at,
    )


def main_contract(
    organisation: Organisation,
    version: PlanVersion,
    first_on: date,
    *,
    steps: int = 1,
    months: int = 12,
    renews: bool = False,
    now: datetime | None = None,
) -> MainContract:
    """Start a main contract as a root would on `now`, by default at noon of its first day.

    There must be a vendor and a free plan (`free_plan`).
    """
    zone = plans.vendor_zone()
    at = now or start_of_day(first_on, zone) + timedelta(hours=12)
    before = plans.timeline(organisation, now=at)
    after: Timeline = start(
        before,
        plans.terms([version.pk], organisation.currency)[version.pk],
        steps=steps,
        first_on=first_on,
        months=months,
        renews=renews,
        now=at,
        zone=zone,
    )
    contracts.store(
        organisation_id=organisation.pk,
        before=before,
        after=after,
        action="contract.started",
        details={},
        actor=ACTOR,
        now=at,
    )
    return MainContract.objects.get(organisation=organisation, first_on=first_on)


def free_plan(*, accounts_per_step: int = 10) -> PlanVersion:
    """The plan that holds without a main contract, in yen and dollars."""
    return plan_version(
        "free", prices={"JPY": 0, "USD": 0}, accounts_per_step=accounts_per_step, is_free=True
    )
