"""Our books beside the far side's ledger, and time that goes by for both."""

from datetime import datetime

from django.utils import translation

from core import clock, work
from core.models import Work
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, Initiator, Step
from payments.gateways import registry
from payments.gateways.base import Intent
from payments.models import Charge, Payable
from payments.queries import payables
from payments.services import charges, moves
from payments.views import standing
from tests import make
from tests.payments import collected


def tick(now: datetime, sandbox: Sandbox) -> None:
    """Do all that is due at `now`, at the sandbox's side too."""
    sandbox.set_time(now)
    with clock.fixed_at(now):
        work.plan(now)
        work.run_due()


def states(payable: Payable) -> list[tuple[str, str]]:
    """Return state and code of each attempt, the oldest first."""
    return [(each.state, each.code) for each in payable.charges.order_by("id")]


def label(payable: Payable) -> str:
    """Return the word by which a customer's page says how a document stands."""
    payable.refresh_from_db()
    with translation.override("en"):
        return standing.told(payables.outlook_of(payable), collected.TOKYO).label


def taken(sandbox: Sandbox) -> list[tuple[str, int, str]]:
    """Return what the far side took in: its name for the money, the amount, the currency."""
    captures = [(row.id, row.amount, row.currency) for row in sandbox.ledger.captures if row.is_in]
    trades = [(row.id, row.price, "JPY") for row in sandbox.ledger.trades if row.status == "fixed"]
    return sorted([*captures, *trades])


def booked() -> list[tuple[str, int, str]]:
    """Return what our books say was taken in."""
    succeeded = Charge.objects.filter(state=ChargeState.SUCCEEDED)
    return sorted(succeeded.values_list("capture", "amount", "currency"))


def assert_agree(sandbox: Sandbox, *, captures: int) -> None:
    """Hold our books against the far side's ledger: so many captures, the same in both."""
    assert booked() == taken(sandbox)
    assert len(taken(sandbox)) == captures


def parked() -> list[str]:
    """Return why work waits for a person."""
    return list(Work.objects.filter(state="parked").values_list("reason", flat=True))


def reserved(sandbox: Sandbox, *, name: str = "Aoba") -> Charge:
    """Return a charge of 5,500 yen that Paid has reserved for a buyer, and not fixed."""
    organisation, root = collected.billed(name)
    method = collected.paid_method(organisation, root, sandbox)
    charge = charges.prepare(
        payable_id=Payable.objects.get(organisation=organisation).pk,
        initiator=Initiator.SCHEDULE,
        actor=make.ACTOR,
        now=make.NOW,
    )
    moves.move_charge(
        charge,
        ChargeState.SENT,
        now=make.NOW,
        step=Step.START,
        called_at=make.NOW,
        sent_at=make.NOW,
    )
    answer = registry.gateway("paid").start(
        Intent(
            key=charge.key,
            number=charge.number_there,
            amount=charge.amount,
            currency=charge.currency,
            description=charge.description,
            on=charge.on,
            payer=method.payer,
        ),
        return_url="",
        cancel_url="",
    )
    return charges.settle(charge_id=charge.pk, outcome=answer, now=make.NOW)  # type: ignore[arg-type]  # Paid gives no Approval
