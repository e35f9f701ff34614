"""A customer who may change plans, as the tests of ordering look at it."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from accounts.models import Organisation, User
from core.ids import new_key
from payments.enums import MethodState
from payments.gateways import registry
from payments.models import PaymentMethod
from payments.services import moves
from plans.enums import Category
from plans.models import PlanVersion
from tests import make

TOKYO = ZoneInfo("Asia/Tokyo")


def local(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=TOKYO).astimezone(UTC)


def vendor() -> None:
    """The vendor, with the plans of the examples: Free, Basic 1,100, Pro 5,500; None, Silver, Gold."""
    make.vendor()
    calls = make.meter("api_calls")
    free = make.plan_version("free", prices={"JPY": 0}, accounts_per_step=10, is_free=True)
    basic = make.plan_version("basic", prices={"JPY": 1_000}, accounts_per_step=5)
    pro = make.plan_version("pro", prices={"JPY": 5_000, "USD": 5_000})
    make.meter_price(free, calls, included=1_000)
    make.meter_price(basic, calls, included=10_000, tiers=[(None, "0.02")])
    make.meter_price(pro, calls, included=100_000, tiers=[("10000", "0.01"), (None, "0.004")])
    support = Category.SUPPORT
    make.plan_version("none", category=support, prices={"JPY": 0}, is_free=True)
    make.plan_version("silver", category=support, prices={"JPY": 3_000})
    make.plan_version("gold", category=support, prices={"JPY": 9_000, "USD": 9_000})


def version(code: str, number: int = 1) -> PlanVersion:
    return PlanVersion.objects.get(plan__code=code, number=number)


def kobo(plan: str = "basic", support: str = "silver", *, has_method: bool = True) -> Organisation:
    """A customer since January 2026 with a licence and a support plan, its root, and a method."""
    if not PlanVersion.objects.exists():
        vendor()
    organisation = make.organisation(name="こうぼ工房", customer_since=date(2026, 1, 1))
    make.member(organisation, email="root@kobo.example")
    for code in filter(None, (plan, support)):
        make.selection(organisation, version(code), local(1, 1))
    if has_method:
        method(organisation)
    return organisation


def root_of(organisation: Organisation) -> User:
    return organisation.memberships.get(role="root").user


def method(
    organisation: Organisation, state: MethodState = MethodState.ACTIVE, gateway: str = "paypal"
) -> PaymentMethod:
    """A payment method as the provider has left it: nobody is asked."""
    account = registry.gateway(gateway).account
    row = PaymentMethod.objects.create(
        organisation=organisation,
        gateway=gateway,
        environment=account.environment,
        merchant=account.merchant,
        key=new_key(),
        registered_by=root_of(organisation),
        created_at=make.NOW,
        state_at=make.NOW,
    )
    moves.note_new(row, actor=make.ACTOR, now=make.NOW)
    if state == MethodState.REGISTERING:
        return row
    if state == MethodState.UNDER_REVIEW:
        moves.move_method(row, state, now=make.NOW)
        return row
    moves.move_method(
        row,
        MethodState.ACTIVE,
        now=make.NOW,
        payer=f"payer-{row.key}",
        label="k•••@example.com",
        active_since=make.NOW,
    )
    if state != MethodState.ACTIVE:
        moves.move_method(row, state, now=make.NOW)
    return row


def kobo_again() -> Organisation:
    """Another customer of the same vendor, alike."""
    organisation = make.organisation(name="べつの工房", customer_since=date(2026, 1, 1))
    make.member(organisation, email="root@another.example")
    make.selection(organisation, version("basic"), local(1, 1))
    return organisation
