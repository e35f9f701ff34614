"""A buyer at Paid from the review to the settlement, against the sandbox's ledger over real HTTP."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing_portal.gateways import PaidAccount
from gateway_sandbox import Sandbox
from payments.gateways.base import (
    Absent,
    Account,
    AnswerLost,
    Declined,
    GatewayMisconfigured,
    GatewayUnreachable,
    Intent,
    Payer,
    Record,
    RecordKind,
    RecordState,
    RequestRefused,
    Settled,
    Standing,
    Undecided,
    Waiting,
)
from payments.gateways.paid import EMAIL_IS_TAKEN, Paid
from tests.payments.test_paid_form import PROFILE_OF_A_COMPANY

MEMBER = "org-7"
INTENT = Intent(
    key="c1",
    number="INV-2026-000042",
    amount=5500,
    currency="JPY",
    description="2026年10月分",
    on=date(2026, 11, 1),
    payer=MEMBER,
)
REGISTER, FIX, CANCEL = "*/Register/*", "*/Fix/*", "*/Cancel/*"
MEMBERS = "*/member/register/*"
WAITING = Waiting(reference="c1")
SETTLED = Settled("c1", "c1", 5500, "JPY", "c1", "INV-2026-000042", Account("local", "local-paid"))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def paid(sandbox: Sandbox) -> Paid:
    return Paid(account(sandbox))


@pytest.fixture
def buyer(sandbox: Sandbox, paid: Paid) -> str:
    """Have a buyer approved up to 100,000 yen, as an instant review does."""
    payer = paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)
    sandbox.paid.approve(payer.reference, limit=100_000)
    return payer.reference


def account(sandbox: Sandbox) -> PaidAccount:
    """Return the account as the portal's settings make it of the sandbox's variables."""
    told = sandbox.environment()
    return PaidAccount(
        environment="local",
        endpoint=told["PAID_ENDPOINT"],
        auth_code=told["PAID_AUTH_CODE"],
        merchant="local-paid",
        paths={
            "register_member": "/member/register/ver1.0/p.json",
            "check_member": "/member/check/ver1.0/p.json",
            "check_credit": "/member/creditCheck/ver1.0/p.json",
            "register": "/Register/b2bMemberId/ver1.0/p.json",
            "fix": "/Fix/b2bCreditId/ver1.0/p.json",
            "cancel": "/Cancel/b2bCreditId/ver1.0/p.json",
        },
        member_status={"1": "reviewing", "2": "active", "3": "blocked", "4": "rejected"},
        item_status=dict(pair.split("=") for pair in told["PAID_ITEM_STATUS"].split(",")),
        closing_day="31",
        payment_method="1",
    )


def start(paid: Paid, intent: Intent = INTENT) -> object:
    return paid.start(intent, return_url="", cancel_url="")


def fixed(sandbox: Sandbox) -> list[tuple[str, int]]:
    """Return what Paid bills: the keys and yen of the transactions that are fixed."""
    return [(trade.id, trade.price) for trade in sandbox.ledger.trades if trade.status == "fixed"]


def test_a_month_from_the_review_to_the_settlement(sandbox: Sandbox, paid: Paid) -> None:
    payer = paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)
    assert payer == Payer(reference=MEMBER, label="株式会社あおぞら")
    assert sandbox.ledger.member(MEMBER).data["companyNameKana"] == "カブシキガイシャアオゾラ"
    assert paid.standing(MEMBER) is Standing.UNDER_REVIEW

    sandbox.paid.approve(MEMBER, limit=100_000)
    assert paid.standing(MEMBER) is Standing.ACTIVE

    assert start(paid) == WAITING
    assert fixed(sandbox) == []
    assert paid.capture(INTENT) == SETTLED
    trade = sandbox.ledger.trade("c1")
    assert (trade.member, trade.price, trade.code, trade.contents, trade.fixed_on) == (
        MEMBER,
        5500,
        "INV-2026-000042",
        "2026年10月分",
        date(2026, 11, 1),
    )

    sandbox.paid.settle(on=date(2026, 12, 28))
    assert list(paid.records_in(sandbox.paid.settlement_csv("2026-11"))) == [
        Record(
            kind=RecordKind.CAPTURE,
            state=RecordState.COMPLETED,
            reference="c1",
            amount=5500,
            currency="JPY",
            at=datetime(2026, 10, 31, 15, tzinfo=UTC),
            key="c1",
            paid_out_on=date(2026, 12, 28),
        )
    ]


@pytest.mark.parametrize(
    ("decide", "standing"),
    [("reject", Standing.REJECTED), ("block", Standing.BLOCKED), ("review", Standing.UNDER_REVIEW)],
)
def test_paid_decides_about_a_buyer(
    sandbox: Sandbox, paid: Paid, buyer: str, decide: str, standing: Standing
) -> None:
    getattr(sandbox.paid, decide)(buyer)

    assert paid.standing(buyer) is standing


def test_a_buyer_whom_paid_does_not_know(paid: Paid) -> None:
    assert paid.standing("org-8") is Standing.UNKNOWN


def test_the_same_form_twice_is_one_member(sandbox: Sandbox, paid: Paid) -> None:
    first = paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)

    assert paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY) == first
    assert [member.id for member in sandbox.ledger.members] == [MEMBER]


def test_an_address_that_paid_knows_is_told_at_its_field(paid: Paid, buyer: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        paid.register(key="org-8", profile=PROFILE_OF_A_COMPANY)

    assert (caught.value.code, caught.value.fields) == (EMAIL_IS_TAKEN, ("email",))


def test_a_registration_whose_answer_is_lost_is_repeated(sandbox: Sandbox, paid: Paid) -> None:
    sandbox.faults.lose_reply(MEMBERS)
    with pytest.raises(AnswerLost):
        paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)

    assert paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY).reference == MEMBER
    assert len(sandbox.ledger.members) == 1


def test_a_secret_that_paid_does_not_know_registers_nobody(sandbox: Sandbox) -> None:
    paid = Paid(replace(account(sandbox), auth_code="wrong"))

    with pytest.raises(GatewayMisconfigured, match="A02"):
        paid.register(key=MEMBER, profile=PROFILE_OF_A_COMPANY)
    with pytest.raises(GatewayMisconfigured, match="A02"):
        start(paid)
    assert sandbox.ledger.members == []


# --- F63: the answer is lost ---


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request", "cut_reply", "empty_200"])
def test_a_lost_reservation_is_repeated_under_its_key(
    sandbox: Sandbox, paid: Paid, buyer: str, fault: str
) -> None:
    getattr(sandbox.faults, fault)(REGISTER)

    outcome = start(paid)

    assert isinstance(outcome, Undecided)
    assert paid.look_up(INTENT) == Absent(may_repeat=True)
    assert start(paid) == WAITING
    assert [(trade.id, trade.price) for trade in sandbox.ledger.trades] == [("c1", 5500)]


@pytest.mark.parametrize("fault", ["lose_reply", "lose_request", "cut_reply", "invalid_json"])
def test_a_lost_fix_is_repeated_under_its_key(
    sandbox: Sandbox, paid: Paid, buyer: str, fault: str
) -> None:
    start(paid)
    getattr(sandbox.faults, fault)(FIX)

    assert isinstance(paid.capture(INTENT), Undecided)
    assert paid.capture(INTENT) == SETTLED
    assert fixed(sandbox) == [("c1", 5500)]


# --- F64: an item fails inside a SUCCESS ---


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("SYSTEM_ERROR", Undecided("SYSTEM_ERROR", "c1")),
        ("CREDIT_OVER", Declined("CREDIT_OVER", "c1")),
        ("NOT_FOUND", Undecided("NOT_FOUND", "c1")),
    ],
)
def test_each_item_is_judged_alone(
    sandbox: Sandbox, paid: Paid, buyer: str, word: str, outcome: object
) -> None:
    start(paid)
    sandbox.faults.fail_items(FIX, word)

    assert paid.capture(INTENT) == outcome
    assert fixed(sandbox) == []


# --- F65: a header of ERROR, unknown codes, wrong types ---


@pytest.mark.parametrize(
    ("status", "codes", "code"),
    [("ERROR", ["D01"], "D01"), ("CLIENT_ERROR", ["Z99"], "Z99"), ("ERROR", [], "ERROR")],
)
def test_an_error_settles_nothing(
    sandbox: Sandbox, paid: Paid, buyer: str, status: str, codes: list[str], code: str
) -> None:
    start(paid)
    sandbox.faults.paid_error(FIX, status, codes)

    assert paid.capture(INTENT) == Undecided(code, "c1")
    assert fixed(sandbox) == []


@pytest.mark.parametrize("shape", range(6))
@pytest.mark.parametrize("pattern", [REGISTER, FIX, MEMBERS, "*/member/check/*"])
def test_wrong_types_settle_nothing(
    sandbox: Sandbox, paid: Paid, buyer: str, pattern: str, shape: int
) -> None:
    sandbox.faults.wrong_types(pattern, shape, times=None)
    if pattern == MEMBERS:
        with pytest.raises(AnswerLost):
            paid.register(key="org-8", profile=PROFILE_OF_A_COMPANY | {"email": "a@b.example.jp"})
    elif pattern == REGISTER:
        assert isinstance(start(paid), Undecided)
    elif pattern == FIX:
        start(paid)
        assert isinstance(paid.capture(INTENT), Undecided)
    else:
        with pytest.raises(AnswerLost):
            paid.standing(buyer)


# --- F66: no credit, or a blocked buyer ---


def test_more_than_the_limit_is_declined_and_the_method_still_works(
    sandbox: Sandbox, paid: Paid, buyer: str
) -> None:
    over = replace(INTENT, amount=100_001)

    assert start(paid, over) == Declined("CREDIT_OVER", "c1", is_method_broken=False)
    assert sandbox.ledger.trades == []
    assert start(paid, replace(INTENT, key="c2", amount=100_000)) == Waiting("c2")


@pytest.mark.parametrize("decide", ["block", "reject"])
def test_a_buyer_who_may_not_buy_is_declined(
    sandbox: Sandbox, paid: Paid, buyer: str, decide: str
) -> None:
    getattr(sandbox.paid, decide)(buyer)

    assert start(paid) == Declined("MEMBER_BLOCKED", "c1", is_method_broken=True)
    assert sandbox.ledger.trades == []


def test_a_buyer_whom_nobody_knows_is_declined(sandbox: Sandbox, paid: Paid) -> None:
    assert start(paid) == Declined("NOT_FOUND", "c1", is_method_broken=True)


def test_a_buyer_blocked_between_reserve_and_fix_is_declined(
    sandbox: Sandbox, paid: Paid, buyer: str
) -> None:
    start(paid)
    sandbox.paid.block(buyer)

    assert paid.capture(INTENT) == Declined("MEMBER_BLOCKED", "c1", is_method_broken=True)
    assert fixed(sandbox) == []


# --- F67: fixed twice, before it is reserved, after it is cancelled ---


def test_two_fixes_at_once_are_one(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    start(paid)
    outcomes: list[object] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(paid.capture(INTENT))) for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [SETTLED] * 4
    assert fixed(sandbox) == [("c1", 5500)]


def test_what_is_not_reserved_cannot_be_fixed(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    assert paid.capture(INTENT) == Undecided("NOT_FOUND", "c1")


def test_what_is_cancelled_cannot_be_fixed(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    start(paid)
    paid.cancel(INTENT)

    assert paid.capture(INTENT) == Declined("ALREADY_CANCELLED", "c1", is_cancelled=True)
    assert fixed(sandbox) == []


def test_cancel_twice_and_of_nothing_is_no_error(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    paid.cancel(INTENT)
    start(paid)

    paid.cancel(INTENT)
    paid.cancel(INTENT)

    assert [trade.status for trade in sandbox.ledger.trades] == ["cancelled"]


def test_what_is_fixed_cannot_be_cancelled(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    start(paid)
    paid.capture(INTENT)

    with pytest.raises(AnswerLost, match="ALREADY_FIXED"):
        paid.cancel(INTENT)
    assert fixed(sandbox) == [("c1", 5500)]


def test_a_cancelled_reservation_gives_the_credit_back(
    sandbox: Sandbox, paid: Paid, buyer: str
) -> None:
    start(paid, replace(INTENT, amount=100_000))
    paid.cancel(replace(INTENT, amount=100_000))

    assert start(paid, replace(INTENT, key="c2", amount=100_000)) == Waiting("c2")


# --- Paid is away ---


def test_refused_connections_lose_nothing(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    sandbox.stop_listening()
    with pytest.raises(GatewayUnreachable):
        start(paid)

    sandbox.listen_again()
    assert start(paid) == WAITING


def test_a_busy_paid_is_left_alone(sandbox: Sandbox, paid: Paid, buyer: str) -> None:
    sandbox.faults.status(REGISTER, 503, headers={"Retry-After": "7"})

    outcome = start(paid)

    assert isinstance(outcome, Undecided)
    assert (outcome.code, outcome.retry_after) == ("http_503", timedelta(seconds=7))
    assert sandbox.ledger.trades == []
