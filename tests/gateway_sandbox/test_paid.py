"""Paid: members and their review, field limits, transactions judged one by one."""

from datetime import date, timedelta
from typing import Any

import pytest
import requests

from gateway_sandbox import Sandbox
from gateway_sandbox.paid.fields import CODES, FIELDS
from tests.gateway_sandbox.client import MEMBER, PATIENCE, Merchant


def errors(answer: Any) -> list[str]:
    """Return the codes of an answer that says ERROR or CLIENT_ERROR."""
    assert answer["header"]["status"] in {"ERROR", "CLIENT_ERROR"}
    codes: list[str] = answer["body"]["result"]["error"]
    return codes


def state(merchant: Merchant, *members: str) -> Any:
    return merchant.paid("/member/check", {"b2bMemberIds": list(members)})["body"]["results"]


@pytest.fixture
def buyer(sandbox: Sandbox, merchant: Merchant) -> Merchant:
    """A merchant with one approved member, org-1."""
    merchant.member()
    sandbox.paid.approve("org-1", limit=10_000)
    return merchant


def test_a_member_is_under_review_until_somebody_decides(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    answer = merchant.member()
    codes = []
    for decide in (sandbox.paid.review, sandbox.paid.approve, sandbox.paid.block):
        decide("org-1")
        codes.append(state(merchant, "org-1")["successes"][0]["memberStatusCode"])
    sandbox.paid.reject("org-1")
    codes.append(state(merchant, "org-1")["successes"][0]["memberStatusCode"])

    assert answer["header"] == {"status": "SUCCESS", "path": "/member/register"}
    assert answer["body"]["result"]["b2bMemberId"] == "org-1"
    assert codes == ["1", "2", "3", "4"]


def test_a_review_can_end_by_itself(sandbox: Sandbox, merchant: Merchant) -> None:
    sandbox.paid.review_after = timedelta(seconds=60)
    merchant.member()
    before = state(merchant, "org-1")["successes"][0]["memberStatusCode"]
    sandbox.advance(seconds=60)
    after = state(merchant, "org-1")["successes"][0]["memberStatusCode"]

    assert (before, after) == ("1", "2")


def test_unknown_members_are_told_apart(merchant: Merchant) -> None:
    merchant.member()

    told = state(merchant, "org-1", "org-2")

    assert [each["b2bMemberId"] for each in told["successes"]] == ["org-1"]
    assert told["errors"] == [{"b2bMemberId": "org-2", "error": ["C02"]}]


def test_a_member_is_registered_once_and_an_address_too(merchant: Merchant) -> None:
    merchant.member()

    assert errors(merchant.member()) == ["C01"]
    assert errors(merchant.member(b2bMemberId="org-2")) == ["B45"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("b2bMemberId", "", "B01"),
        ("b2bMemberId", "a" * 21, "B02"),
        ("b2bMemberId", "会員", "B03"),
        ("companyName", "", "B04"),
        ("companyName", "社" * 51, "B05"),
        ("zipCode", "1030014", "B18"),
        ("prefecture", "東京", "B21"),
        ("building", "階" * 51, "B26"),
        ("tel", "", "B35"),
        ("tel", "0312345678", "B37"),
        ("tel", "０３-1234-5678", "B37"),
        ("email", "", "B42"),
        ("email", "a" * 90 + "@example.jp", "B43"),
        ("email", "keiri", "B44"),
        ("establishedYear", "99", "B47"),
        ("annualSales", "1" * 10, "B50"),
        ("url1", "example.jp", "B58"),
        ("pr", "宣" * 1001, "B63"),
        ("closingDay", "25", "B64"),
        ("paymentMethod", "3", "B65"),
    ],
)
def test_a_fault_in_a_field_has_its_code(
    sandbox: Sandbox, merchant: Merchant, field: str, value: str, code: str
) -> None:
    assert errors(merchant.member(**{field: value})) == [code]
    assert sandbox.ledger.members == []


def test_every_field_takes_what_is_as_long_as_it_may_be(merchant: Merchant) -> None:
    longest = {field.name: "x" * field.longest for field in FIELDS if not field.pattern}
    longest |= {
        "b2bMemberId": "a" * 20,
        "tel": "03-" + "1" * 22,
        "email": "a" * 89 + "@example.jp",
        "url1": "https://" + "a" * 192,
        "closingDay": "20",
    }

    assert merchant.member(**longest)["header"]["status"] == "SUCCESS"


def test_the_codes_count_through_the_fields() -> None:
    assert list(CODES.values()) == [f"B{number:02}" for number in range(1, 64)]
    assert CODES["email", "other"] == "B45"


def test_every_fault_of_a_form_is_told_at_once(merchant: Merchant) -> None:
    faulty = merchant.member(companyName="", zipCode="x", email="y")

    assert errors(faulty) == ["B04", "B18", "B44"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"{", "A01", id="unreadable"),
        pytest.param(b"[]", "A01", id="no header"),
        pytest.param(b'{"header": {"apiAuthCode": "x"}, "body": {"a": 1}}', "A02", id="secret"),
    ],
)
def test_a_message_that_is_none_is_refused(merchant: Merchant, body: bytes, code: str) -> None:
    answer = requests.post(merchant.paid_url("/member/register"), data=body, timeout=PATIENCE)

    assert answer.status_code == 200
    assert errors(answer.json()) == [code]


def test_a_batch_has_a_size(merchant: Merchant) -> None:
    none = merchant.paid("/Fix/b2bCreditId", {"credits": {"credit": []}})
    many = merchant.paid("/Fix/b2bCreditId", {"credits": {"credit": [{}] * 101}})

    assert (errors(none), errors(many)) == (["A03"], ["A04"])


def test_a_transaction_is_reserved_then_fixed_once(sandbox: Sandbox, buyer: Merchant) -> None:
    words = [buyer.trade("Register"), buyer.trade("Fix"), buyer.trade("Fix")]

    trade = sandbox.ledger.trade("c-1")
    assert words == ["SUCCESS", "SUCCESS", "ALREADY_FIXED"]
    assert (trade.status, trade.price, trade.fixed_on) == ("fixed", 5500, date(2026, 11, 30))
    assert buyer.trade("Cancel") == "ALREADY_FIXED"


def test_the_same_id_is_reserved_once(sandbox: Sandbox, buyer: Merchant) -> None:
    words = [buyer.trade("Register"), buyer.trade("Register", price=1)]
    sandbox.paid.words["duplicate"] = "EXISTS"

    assert words == ["SUCCESS", "DUPLICATED"]
    assert buyer.trade("Register") == "EXISTS"
    assert sandbox.ledger.trade("c-1").price == 5500


def test_what_was_cancelled_is_not_fixed(buyer: Merchant) -> None:
    buyer.trade("Register")

    words = [buyer.trade("Cancel"), buyer.trade("Fix"), buyer.trade("Cancel")]

    assert words == ["SUCCESS", "ALREADY_CANCELLED", "ALREADY_CANCELLED"]


def test_credit_ends_at_its_limit_and_comes_back(sandbox: Sandbox, buyer: Merchant) -> None:
    def available(price: int) -> bool:
        asked = {"credit": {"b2bMemberId": "org-1", "price": price}}
        told: bool = buyer.paid("/member/creditCheck", asked)["body"]["result"]["creditAvailable"]
        return told

    first = buyer.trade("Register", "c-1")
    above = buyer.trade("Register", "c-2", price=4501)
    before = (available(4500), available(4501))
    buyer.trade("Fix", "c-1")
    sandbox.paid.settle(["c-1"], on=date(2026, 12, 31))
    after = available(10_000)

    assert (first, above, before, after) == ("SUCCESS", "CREDIT_OVER", (True, False), True)


def test_a_member_blocked_between_reserve_and_fix(sandbox: Sandbox, buyer: Merchant) -> None:
    buyer.trade("Register")
    sandbox.paid.block("org-1")

    words = [buyer.trade("Fix"), buyer.trade("Register", "c-2"), buyer.trade("Cancel")]

    assert words == ["MEMBER_BLOCKED", "MEMBER_BLOCKED", "SUCCESS"]
    assert sandbox.ledger.trade("c-1").status == "cancelled"


@pytest.mark.parametrize("price", [0, -1, 1.5, "x", True, None])
def test_a_price_is_whole_yen(buyer: Merchant, price: Any) -> None:
    assert buyer.trade("Register", price=price) == "INVALID"


def test_a_price_that_differs_is_not_fixed(buyer: Merchant) -> None:
    buyer.trade("Register")

    assert [buyer.trade("Fix", price=5499), buyer.trade("Fix", price=5500)] == [
        "INVALID",
        "SUCCESS",
    ]


def test_a_batch_is_judged_item_by_item(buyer: Merchant) -> None:
    buyer.trade("Register", "c-1")
    items = [{"b2bMemberId": "org-1", "b2bCreditId": name} for name in ("c-9", "c-1")]
    items.append({"b2bMemberId": "org-2", "b2bCreditId": "c-1"})

    answer = buyer.paid("/Cancel/b2bCreditId", {"credits": {"credit": items}})

    assert answer["header"]["status"] == "SUCCESS"
    assert answer["body"]["detailResults"]["detailResult"] == [
        {"status": "NOT_FOUND"},
        {"status": "SUCCESS"},
        {"status": "NOT_FOUND"},
    ]


def test_the_settlement_file_holds_a_month(sandbox: Sandbox, buyer: Merchant) -> None:
    for name, price, day in (("c-1", 5500, "2026/11/30"), ("c-2", 100, "2026/12/01")):
        buyer.trade("Register", name, price=price)
        buyer.trade("Fix", name, fixedAt=day)
    sandbox.paid.settle(["c-1"], on=date(2026, 12, 31))
    way = f"{sandbox.url}/sandbox/paid/settlement.csv"

    november = requests.get(f"{way}?month=2026-11", timeout=PATIENCE)

    assert november.text.splitlines() == [
        "b2bCreditId,b2bMemberId,price,fixedAt,settledAt",
        "c-1,org-1,5500,2026/11/30,2026/12/31",
    ]
    assert sandbox.paid.settlement_csv("2026-12").splitlines()[1:] == [b"c-2,org-1,100,2026/12/01,"]
    assert requests.get(f"{way}?month=11", timeout=PATIENCE).status_code == 400


def test_the_members_data_are_kept_as_they_came(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.member(pr="よろしく")

    assert sandbox.ledger.member("org-1").data == MEMBER | {"pr": "よろしく"}
