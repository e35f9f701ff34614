"""A customer with a main contract, and spot orders of it, placed and paid as the portal does."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

from accounts.models import Membership, Organisation
from billing.models import Invoice
from billing.rules import spot as rules
from billing.rules.spot import Totals
from billing.services import spot as billing
from core.money import Rounding
from plans import queries as plans
from plans.models import PlanVersion
from plans.rules.timeline import renew
from plans.services import contracts
from spot_orders.models import SpotOrder
from spot_orders.rules import spot
from spot_orders.rules.spot import Offer, Wish
from spot_orders.services import NewOrder, mark_paid, place
from tests import make

TOKYO = ZoneInfo("Asia/Tokyo")
# 22 November 2026, 14:00 in Tokyo.
NOW = make.NOW
ACTOR = "system:test"
MAIN_FROM = date(2026, 11, 1)


def customer(
    *,
    steps: int = 1,
    months: int = 12,
    version: PlanVersion | None = None,
    country: str = "JP",
    currency: str = "JPY",
    **more: object,
) -> Membership:
    """Return the root of a customer with Starter since 1 November 2026, 5,000 yen net a step and month.

    The vendor and its plans are made with the first one.
    """
    if not PlanVersion.objects.exists():
        make.vendor()
        make.free_plan()
    starter = version or PlanVersion.objects.filter(plan__code="starter").first()
    organisation = make.organisation(
        country=country,
        currency=currency,
        customer_since=MAIN_FROM,
        **more,  # type: ignore[arg-type]
    )
    root = make.member(organisation)
    make.main_contract(
        organisation, starter or make.plan_version(), MAIN_FROM, steps=steps, months=months
    )
    return root


def renewed_at(organisation: Organisation, version: PlanVersion, *, now: datetime = NOW) -> None:
    """Order the next term at another version's price."""
    zone = plans.vendor_zone()
    before = plans.timeline(organisation, now=now)
    terms = plans.terms([version.pk], organisation.currency)[version.pk]
    contracts.store(
        organisation_id=organisation.pk,
        before=before,
        after=renew(before, terms, steps=1, months=1, now=now, zone=zone),
        action="contract.renewed",
        details={},
        actor=ACTOR,
        now=now,
    )


def offer(
    organisation: Organisation,
    *,
    accounts: int = 100,
    first_on: date = date(2026, 12, 10),
    months: int = 1,
    now: datetime = NOW,
) -> Offer:
    return spot.offer(
        plans.timeline(organisation, now=now),
        Wish(accounts, first_on, months),
        now=now,
        zone=plans.vendor_zone(),
    )


def totals(organisation: Organisation, of: Offer, *, now: datetime = NOW) -> Totals:
    vendor = plans.vendor()
    return rules.totals(
        of,
        vendor_country=vendor.country,
        country=organisation.country,
        ordered_on=now.astimezone(plans.vendor_zone()).date(),
        rounding=Rounding(vendor.tax_rounding),
    )


def placed(
    root: Membership,
    *,
    accounts: int = 100,
    first_on: date = date(2026, 12, 10),
    months: int = 1,
    now: datetime = NOW,
) -> SpotOrder:
    """Place an order of the root, at the price of today."""
    organisation = root.organisation
    wanted = offer(organisation, accounts=accounts, first_on=first_on, months=months, now=now)
    price = totals(organisation, wanted, now=now)
    return place(
        organisation_id=organisation.pk,
        user_id=root.user_id,
        new=NewOrder(
            offer=wanted,
            tax=price.tax,
            tax_code=price.code.value,
            tax_rounding=price.rounding.value,
            terms_id=None,
            operation=uuid4(),
            digest=bytes(32),
        ),
        now=now,
    )


def paid(
    root: Membership,
    *,
    accounts: int = 100,
    first_on: date = date(2026, 12, 10),
    months: int = 1,
    now: datetime = NOW,
) -> SpotOrder:
    order = placed(root, accounts=accounts, first_on=first_on, months=months, now=now)
    return mark_paid(order_id=order.pk, actor=ACTOR, now=now)


def invoice(order: SpotOrder, *, now: datetime = NOW) -> Invoice:
    return billing.issue(order_id=order.pk, actor=ACTOR, now=now)


def amounts(of: Invoice) -> tuple[int, int, int]:
    return of.net, of.tax, of.gross


def told(of: Invoice) -> Sequence[tuple[str, Decimal, int]]:
    """Return the lines of an invoice: what, how many months, net."""
    return [(line.name_en, line.quantity, line.net) for line in of.lines.order_by("position")]


def at(year: int, month: int, day: int, hour: int = 12) -> datetime:
    return datetime(year, month, day, hour, tzinfo=TOKYO).astimezone(UTC)
