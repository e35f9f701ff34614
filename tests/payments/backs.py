"""Money given back in tests: what staff ask for, how the portal goes on, and what both books say."""

from datetime import datetime
from uuid import UUID, uuid4

from accounts.models import Organisation, User
from core import clock, work
from core.ids import new_key
from core.models import Work
from core.work import GATEWAY_QUEUE
from gateway_sandbox import Sandbox
from payments.enums import RefundKind, RefundState
from payments.gateways import registry
from payments.models import Payable, PaymentMethod, Refund
from payments.services import corrections, methods, moves, refunds
from payments.services.corrections import Outcome
from tests import make
from tests.payments.test_paid_form import PROFILE_OF_A_COMPANY

NOW = make.NOW
HANAKO, TARO = "user:71", "user:72"
REASON = "Outage on 5 October"
REFUND_CALL = "POST /v2/payments/captures/*/refund"


def credit(
    payable: Payable,
    gross: int | None = None,
    *,
    reason: str = REASON,
    operation: UUID | None = None,
    actor: str = HANAKO,
    now: datetime = NOW,
) -> Outcome:
    return corrections.credit_and_refund(
        invoice_id=payable.invoice_id or 0,
        gross=gross,
        reason=reason,
        operation=operation or uuid4(),
        actor=actor,
        now=now,
    )


def tick(now: datetime = NOW) -> None:
    """Find what is due, and do what the gateways' queue holds, as the minute's tick would."""
    with clock.fixed_at(now):
        refunds.plan(now)
        work.run_due([GATEWAY_QUEUE])


def sums(payable: Payable) -> tuple[str, int, int, int]:
    """Return a payable's state, and what was credited, captured and given back."""
    row = Payable.objects.get(pk=payable.pk)
    return row.state, row.credited, row.captured, row.refunded


def states() -> list[tuple[int, str]]:
    """Return each refund's amount and state, the oldest first."""
    return list(Refund.objects.order_by("id").values_list("amount", "state"))


def assert_books_agree(sandbox: Sandbox) -> None:
    """Hold our books against the ledger of the far side: each refund, and what is left in all."""
    ours = Refund.objects.filter(state=RefundState.SUCCEEDED, is_by_hand=False)
    there = [row for row in sandbox.ledger.refunds if row.status == "COMPLETED"]
    reversed_there = [(row.id, row.amount) for row in sandbox.ledger.reversals]
    assert sorted(
        ours.filter(kind=RefundKind.REFUND).values_list("reference", "amount", "key")
    ) == sorted((row.id, row.amount, row.custom_id) for row in there)
    assert sorted(
        ours.filter(kind=RefundKind.REVERSAL).values_list("reference", "amount")
    ) == sorted(reversed_there)
    by_hand = sum(Refund.objects.filter(is_by_hand=True).values_list("amount", flat=True))
    left = sum(row.captured - row.refunded for row in Payable.objects.all())
    assert left == sandbox.ledger.taken("JPY") - by_hand


def parked() -> list[str]:
    return list(Work.objects.filter(state="parked").values_list("reason", flat=True))


def paid_method(organisation: Organisation, root: User, sandbox: Sandbox) -> PaymentMethod:
    """Register a buyer at Paid, approved, in place of what was registered before."""
    gateway, key = registry.gateway("paid"), new_key()
    payer = gateway.register(key=key, profile=PROFILE_OF_A_COMPANY)
    sandbox.paid.approve(payer.reference)
    for before in PaymentMethod.objects.filter(organisation=organisation, state="active"):
        methods.detach(method_id=before.pk, reason="changed", actor=HANAKO, now=NOW)
    method = PaymentMethod.objects.create(
        organisation=organisation,
        gateway=gateway.slug,
        environment=gateway.account.environment,
        merchant=gateway.account.merchant,
        key=key,
        registered_by=root,
        created_at=NOW,
        state_at=NOW,
    )
    moves.note_new(method, actor=HANAKO, now=NOW)
    methods.activate(method, actor=HANAKO, now=NOW, payer=payer.reference, label="Aoba")
    return method
