"""The sandbox's own page."""

import re
from html import unescape

import requests

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import PATIENCE, Merchant, issue


def act(sandbox: Sandbox, name: str, **fields: str) -> int:
    """Press a button; return the status, a redirect not being followed."""
    return requests.post(
        f"{sandbox.url}/sandbox/",
        data={"act": name, **fields},
        timeout=PATIENCE,
        allow_redirects=False,
    ).status_code


def shown(sandbox: Sandbox) -> str:
    page = requests.get(f"{sandbox.url}/sandbox/", timeout=PATIENCE)
    assert page.status_code == 200
    return unescape(re.sub(r"<[^>]+>", " ", page.text))


def test_the_page_shows_the_ledger_and_no_secret(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()
    merchant.refund(capture, "500")
    merchant.member(companyName="<b>Company</b>")
    page = requests.get(f"{sandbox.url}/sandbox/", timeout=PATIENCE).text

    text = shown(sandbox)
    for expected in (capture, "¥5,500", "¥500", "payer@example.com", "CHECKOUT.ORDER.COMPLETED"):
        assert expected in text
    assert "&lt;b&gt;Company" in page
    assert sandbox.accounts.secret not in page
    assert sandbox.accounts.paid_auth_code not in page
    assert merchant.token not in page


def test_a_person_reviews_members(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.member()
    states = []
    for name in ("approve_member", "block_member", "reject_member"):
        assert act(sandbox, name, id="org-1") == 303
        states.append(sandbox.ledger.member("org-1").status)

    assert states == ["active", "blocked", "rejected"]


def test_a_person_decides_captures(sandbox: Sandbox, merchant: Merchant) -> None:
    assert act(sandbox, "next_capture", what="pending") == 303
    capture = merchant.captured()
    pending = sandbox.ledger.capture(capture).status
    act(sandbox, "complete", id=capture)
    completed = sandbox.ledger.capture(capture).status
    act(sandbox, "reverse", id=capture)

    assert (pending, completed) == ("PENDING", "COMPLETED")
    assert sandbox.ledger.taken("JPY") == 0


def test_a_person_ends_an_agreement(sandbox: Sandbox, merchant: Merchant) -> None:
    agreement = merchant.agreement()
    act(sandbox, "delete_agreement", id=agreement)

    assert sandbox.ledger.payment_token(agreement).deleted_at is not None


def test_keys_end_when_a_person_makes_them_older_and_payments_keep_their_dates(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    agreement = merchant.agreement()
    merchant.order(agreement)
    captured = sandbox.ledger.captures
    before = merchant.order(agreement).status_code
    act(sandbox, "age", hours="6")
    after = merchant.order(agreement)

    assert before == 200
    assert issue(after) == "DUPLICATE_INVOICE_ID"
    assert sandbox.ledger.captures == captured


def test_every_fault_on_the_page_can_be_set(sandbox: Sandbox) -> None:
    page = requests.get(f"{sandbox.url}/sandbox/", timeout=PATIENCE).text
    choices = re.findall(r"<option>([^<]+)</option>", page.split('name="kind"')[1])
    kinds = choices[: choices.index("pending")]
    for kind in kinds:
        act(sandbox, "fault", kind=unescape(kind), pattern="/v9/*", times="2")
    set_now = len(sandbox.faults.in_force())
    act(sandbox, "clear_faults")

    assert set_now == len(kinds) == 20
    assert sandbox.faults.in_force() == []


def test_what_is_not_there_is_refused_and_so_is_another_origin(sandbox: Sandbox) -> None:
    foreign = requests.post(
        f"{sandbox.url}/sandbox/",
        data={"act": "forget_keys"},
        headers={"Origin": "https://example.com"},
        timeout=PATIENCE,
    )

    assert act(sandbox, "complete", id="NONE") == 400
    assert act(sandbox, "unheard of") == 400
    assert foreign.status_code == 403
    assert requests.get(f"{sandbox.url}/sandbox/none", timeout=PATIENCE).status_code == 404
