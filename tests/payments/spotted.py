"""A customer who has placed a spot order, for the tests of its payment."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Organisation, User
from core.books import Breach, breaches
from gateway_sandbox import Sandbox
from payments.enums import JourneyPurpose
from payments.models import Charge, Payable, PaymentMethod
from payments.queries import spots as queries
from payments.services import journeys, paying, spots
from payments.services.charges import Shown
from payments.services.journeys import Traveller
from plans import queries as plans
from plans.models import PlanVersion, VendorVersion
from plans.rules import PlanTerms, timeline
from plans.rules.timeline import Timeline
from plans.services import contracts
from spot_orders import services as spot_orders
from spot_orders.models import SpotOrder
from spot_orders.rules import spot as rules
from tests import make
from tests.payments import collected

NOW = make.NOW
TOKYO = ZoneInfo("Asia/Tokyo")
# NOW is the afternoon of this day in Tokyo.
TODAY = date(2026, 11, 22)
FIRST_ON = date(2026, 11, 10)
WAY_BACK = paying.WayBack("http://localhost:8000/back/{state}", "http://localhost:8000/no/{state}")


@dataclass(frozen=True, slots=True)
class Buyer:
    """An organisation with a month of Starter 100 from 10 November on, renewed for a year."""

    organisation: Organisation
    root: User

    @property
    def actor(self) -> str:
        return f"user:{self.root.pk}"

    @property
    def payer(self) -> str:
        """Whose PayPal account is registered."""
        return f"payer-{self.organisation.pk}@example.com"

    @property
    def traveller(self) -> Traveller:
        return Traveller(self.organisation.pk, self.root.pk, "a-session")


@dataclass(frozen=True, slots=True)
class Placed:
    """A buyer's order of 100 more accounts from today on: 5,500 yen a month, tax included."""

    buyer: Buyer
    order: SpotOrder
    payable: Payable

    @property
    def state(self) -> str:
        return SpotOrder.objects.get(pk=self.order.pk).state

    @property
    def sums(self) -> tuple[str, int, int, int]:
        """State, what was credited, captured and given back, as the payable has it now."""
        row = Payable.objects.get(pk=self.payable.pk)
        return row.state, row.credited, row.captured, row.refunded

    @property
    def attempts(self) -> list[tuple[str, str]]:
        return [(each.state, each.code) for each in self.payable.charges.order_by("id")]


def buyer(name: str = "Aoba") -> Buyer:
    if not VendorVersion.objects.exists():
        plans.forget()
        make.vendor()
        make.free_plan()
        make.plan_version()
    organisation = make.organisation(name=name, customer_since=date(2026, 11, 1))
    who = Buyer(organisation, make.member(organisation).user)
    starter = PlanVersion.objects.get(plan__code="starter")
    make.main_contract(organisation, starter, FIRST_ON, months=1)
    terms = plans.terms([starter.pk], organisation.currency)[starter.pk]
    _renew(who, terms, NOW - timedelta(days=1))
    return who


@transaction.atomic
def place(
    buyer: Buyer,
    *,
    accounts: int = 100,
    first_on: date = TODAY,
    months: int = 1,
    operation: UUID | None = None,
    now: datetime = NOW,
) -> Placed:
    """Place an order and open its payable, at once, as the wizard does."""
    wish = rules.Wish(accounts, first_on, months)
    offer = rules.offer(plans.timeline(buyer.organisation, now=now), wish, now=now, zone=TOKYO)
    order = spot_orders.place(
        organisation_id=buyer.organisation.pk,
        user_id=buyer.root.pk,
        new=spot_orders.NewOrder(
            offer=offer,
            tax=offer.net // 10,
            tax_code="JP10",
            tax_rounding="down",
            terms_id=None,
            operation=operation or uuid4(),
            digest=bytes(32),
        ),
        now=now,
    )
    return Placed(buyer, order, spots.open_payable(order=order, now=now))


def placed(
    sandbox: Sandbox, name: str = "Aoba", *, method: str = "paypal", months: int = 1
) -> Placed:
    """Return an order of 5,500 yen a month, unpaid, of a buyer who has a registered method."""
    who = buyer(name)
    register(who, sandbox, method)
    return place(who, months=months)


def register(who: Buyer, sandbox: Sandbox, method: str = "paypal") -> PaymentMethod:
    if method == "paid":
        return collected.paid_method(who.organisation, who.root, sandbox)
    return collected.paypal_method(who.organisation, who.root, sandbox, email=who.payer)


def shown(placed: Placed) -> Shown:
    """Return what the payment page says at this moment."""
    outlook = queries.outlook_of_order(placed.order)
    return Shown(
        amount=outlook.payable.balance,
        attempts=outlook.attempts,
        method=outlook.method.public_id if outlook.method else None,
    )


def pay(placed: Placed, *, now: datetime = NOW) -> Charge:
    """Press the button of the registered method."""
    return spots.pay_with_method(
        order_id=placed.order.pk, shown=shown(placed), actor=placed.buyer.actor, now=now
    )


def set_out(placed: Placed, *, now: datetime = NOW) -> str:
    """Choose to pay once at PayPal; return the address to approve at."""
    return spots.set_out(
        order_id=placed.order.pk,
        gateway="paypal",
        shown=Shown(placed.payable.gross),
        traveller=placed.buyer.traveller,
        way_back=WAY_BACK,
        now=now,
    )


def come_back(placed: Placed, address: str, *, now: datetime = NOW) -> Charge:
    state = address.partition("/back/")[2].partition("?")[0]
    journey = journeys.come_back(
        traveller=placed.buyer.traveller, state=state, purpose=JourneyPurpose.PAYMENT, now=now
    )
    return paying.come_back(journey=journey, now=now)


def shorten(buyer: Buyer, *, now: datetime = NOW) -> None:
    """Withdraw the renewal, as staff may: what lies beyond 9 December is covered no more."""
    _store(buyer, now, lambda before: timeline.withdraw_renewal(before, now=now, zone=TOKYO))


def _renew(buyer: Buyer, terms: PlanTerms, now: datetime) -> None:
    def renewed(before: Timeline) -> Timeline:
        return timeline.renew(before, terms, steps=1, months=12, now=now, zone=TOKYO)

    _store(buyer, now, renewed)


def _store(buyer: Buyer, now: datetime, act: Callable[[Timeline], Timeline]) -> None:
    before = plans.timeline(buyer.organisation, now=now)
    contracts.store(
        organisation_id=buyer.organisation.pk,
        before=before,
        after=act(before),
        action="contract.changed",
        details={},
        actor=make.ACTOR,
        now=now,
    )


def unsound(now: datetime = NOW + timedelta(minutes=1)) -> list[Breach]:
    return breaches(now=now)
