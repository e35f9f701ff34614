"""One customer whose invoice is collected at the sandbox, for the tests that judge the books."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from accounts import services as accounts
from accounts.enums import PaymentTerms
from accounts.models import Organisation, User
from billing.services import issue
from core.ids import new_key
from core.months import BillingMonth
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Initiator
from payments.gateways import registry
from payments.gateways.base import Gateway, Payer
from payments.models import Charge, Payable, PaymentMethod
from payments.services import charges, collecting, methods, moves
from plans import queries as plans
from plans.models import PlanVersion, VendorVersion
from tests import make
from tests.payments.test_paid_form import PROFILE_OF_A_COMPANY

TOKYO = ZoneInfo("Asia/Tokyo")
SEPTEMBER, OCTOBER = BillingMonth(2026, 9), BillingMonth(2026, 10)
BILLED_AT = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
ACTOR = make.ACTOR


@dataclass(frozen=True, slots=True)
class Customer:
    """An organisation that owes 5,500 yen for October, and pays by PayPal."""

    organisation: Organisation
    root: User
    payable: Payable
    method: PaymentMethod


def customer(sandbox: Sandbox, *, name: str = "Aoba", email: str = "payer@example.com") -> Customer:
    organisation, root = billed(name)
    return Customer(
        organisation,
        root,
        Payable.objects.get(organisation=organisation),
        paypal_method(organisation, root, sandbox, email=email),
    )


def charge(payable: Payable, *, now: datetime = make.NOW) -> Charge:
    """Charge what is owed, as the portal does by itself; return what became of it."""
    prepared = charges.prepare(
        payable_id=payable.pk, initiator=Initiator.SCHEDULE, actor=ACTOR, now=now
    )
    charges.carry_out(charge_id=prepared.pk, now=now)
    return Charge.objects.get(pk=prepared.pk)


def paid(sandbox: Sandbox, *, name: str = "Aoba") -> tuple[Customer, Charge]:
    """Return a customer whose 5,500 yen were captured."""
    owing = customer(sandbox, name=name)
    made = charge(owing.payable)
    if made.state != ChargeState.SUCCEEDED:
        raise AssertionError(f"{made}: {made.code}")
    return owing, made


def paid_by_invoice(sandbox: Sandbox, *, name: str = "Aoba") -> Charge:
    """Return a charge of 5,500 yen that Paid has fixed."""
    organisation, root = billed(name)
    paid_method(organisation, root, sandbox)
    made = charge(Payable.objects.get(organisation=organisation))
    if made.state != ChargeState.SUCCEEDED:
        raise AssertionError(f"{made}: {made.code}")
    return made


def paid_method(organisation: Organisation, root: User, sandbox: Sandbox) -> PaymentMethod:
    """Register a buyer at Paid, approved, and activate it."""
    gateway, key = registry.gateway("paid"), new_key()
    profile = PROFILE_OF_A_COMPANY | {"email": f"keiri-{organisation.pk}@aozora.example.jp"}
    payer = gateway.register(key=key, profile=profile)
    sandbox.paid.approve(payer.reference)
    return _active(gateway, organisation, root, key, payer)


def paypal_method(
    organisation: Organisation, root: User, sandbox: Sandbox, *, email: str = "payer@example.com"
) -> PaymentMethod:
    """Register a payer at the sandbox and activate it."""
    gateway = registry.gateway("paypal")
    key = new_key()
    approval = gateway.open_registration(
        key=key,
        customer=str(organisation.public_id),
        language="ja",
        return_url="http://localhost:8000/back",
        cancel_url="http://localhost:8000/cancelled",
    )
    sandbox.paypal.approve(approval.url, email=email)
    payer = gateway.finish_registration(key=key, reference=approval.reference)
    if payer is None:
        raise AssertionError("nobody approved")
    return _active(gateway, organisation, root, key, payer)


def _active(
    gateway: Gateway, organisation: Organisation, root: User, key: str, payer: Payer
) -> PaymentMethod:
    method = PaymentMethod.objects.create(
        organisation=organisation,
        gateway=gateway.slug,
        environment=gateway.account.environment,
        merchant=gateway.account.merchant,
        key=key,
        registered_by=root,
        created_at=make.NOW,
        state_at=make.NOW,
    )
    moves.note_new(method, actor=ACTOR, now=make.NOW)
    methods.activate(method, actor=ACTOR, now=make.NOW, payer=payer.reference, label=payer.label)
    method.refresh_from_db()
    return method


def billed(
    name: str, *, take_up: bool = True, terms: PaymentTerms = PaymentTerms.NONE
) -> tuple[Organisation, User]:
    """Return an organisation with one invoice of 5,500 yen, that is taken up, and its root."""
    if not VendorVersion.objects.exists():
        plans.forget()
        make.vendor()
        make.plan_version()
    organisation = make.organisation(name=name, customer_since=date(2026, 9, 10))
    make.selection(organisation, PlanVersion.objects.get(), datetime(2026, 9, 10, tzinfo=TOKYO))
    accounts.set_payment_terms(
        organisation_id=organisation.pk, terms=terms, actor=ACTOR, now=BILLED_AT
    )
    root = make.member(organisation).user
    for month in (SEPTEMBER, OCTOBER):
        issue.bill_page(
            first_id=organisation.pk, last_id=organisation.pk, month=month, now=BILLED_AT
        )
    if take_up:
        collecting.take_up(make.NOW)
    return organisation, root
