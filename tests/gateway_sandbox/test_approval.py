"""The approval page, as a browser and a person meet it."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from gateway_sandbox import Sandbox
from tests.gateway_sandbox.client import PATIENCE, Merchant, issue


def sent(url: str, act: str, email: str = "hanako@example.com") -> requests.Response:
    form = {"act": act, "email": email}
    return requests.post(url, data=form, timeout=PATIENCE, allow_redirects=False)


def test_the_page_says_what_is_approved(merchant: Merchant) -> None:
    japanese = requests.get(merchant.setup(key="1")["links"][0]["href"], timeout=PATIENCE)
    english = requests.get(
        merchant.setup(key="2", locale="en-US")["links"][0]["href"], timeout=PATIENCE
    )
    order = merchant.order().json()
    payment = requests.get(order["links"][1]["href"], timeout=PATIENCE)

    assert '<html lang="ja">' in japanese.text
    assert "サンドボックス" in japanese.text
    assert "Vendor &lt;Ltd&gt;" in japanese.text
    assert "this is not PayPal" in english.text
    assert "¥5,500" in payment.text
    assert "<script" not in japanese.text + english.text + payment.text


def test_the_page_loads_nothing_from_elsewhere(merchant: Merchant) -> None:
    page = requests.get(merchant.setup()["links"][0]["href"], timeout=PATIENCE)

    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_the_browsers_language_counts_where_the_merchant_names_none(merchant: Merchant) -> None:
    url = merchant.setup(locale="")["links"][0]["href"]
    page = requests.get(url, headers={"Accept-Language": "ja,en;q=0.5"}, timeout=PATIENCE)

    assert '<html lang="ja">' in page.text


def test_approving_leads_back_and_lets_the_merchant_charge(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    setup = merchant.setup()
    back = sent(setup["links"][0]["href"], "approve")

    parts = urlsplit(back.headers["Location"])
    assert back.status_code == 303
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://localhost:8000/back"
    assert parse_qs(parts.query) == {
        "state": ["s1"],
        "approval_token_id": [setup["id"]],
        "approval_session_id": [setup["id"]],
    }
    token = merchant.vault(setup["id"]).json()
    assert token["payment_source"]["paypal"]["email_address"] == "hanako@example.com"


def test_a_payer_who_declines_charges_is_registered_all_the_same(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    setup = merchant.setup()
    sent(setup["links"][0]["href"], "decline")
    agreement = merchant.vault(setup["id"]).json()["id"]

    declined = merchant.order(agreement)
    requests.post(
        f"{sandbox.url}/sandbox/",
        data={"act": "charges", "id": "hanako@example.com", "issue": ""},
        timeout=PATIENCE,
    )

    assert issue(declined) == "INSTRUMENT_DECLINED"
    assert merchant.order(agreement).status_code == 201


def test_cancelling_leads_back_and_registers_nothing(sandbox: Sandbox, merchant: Merchant) -> None:
    setup = merchant.setup()
    url = setup["links"][0]["href"]
    back = sent(url, "cancel")

    assert back.headers["Location"].startswith("http://localhost:8000/no?state=s1&")
    assert issue(merchant.vault(setup["id"])) == "PAYER_ACTION_REQUIRED"
    assert requests.get(url, timeout=PATIENCE).status_code == 410
    assert sent(url, "approve").status_code == 410
    assert sandbox.ledger.payment_tokens == []


def test_a_visit_is_decided_once(sandbox: Sandbox, merchant: Merchant) -> None:
    url = merchant.setup()["links"][0]["href"]

    assert [sent(url, "approve").status_code, sent(url, "approve").status_code] == [303, 410]


def test_an_order_is_approved_and_comes_back_with_the_payer(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    order = merchant.order().json()
    back = sent(order["links"][1]["href"], "approve")

    payer = sandbox.ledger.payers[0].payer_id
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert query == {"token": [order["id"]], "PayerID": [payer]}
    assert sandbox.ledger.order(order["id"]).status == "APPROVED"


@pytest.mark.parametrize("email", ["", "hanako", "@example.com", "a" * 250 + "@b.jp"])
def test_what_is_no_address_is_asked_for_again(merchant: Merchant, email: str) -> None:
    again = sent(merchant.setup()["links"][0]["href"], "approve", email)

    assert again.status_code == 400
    assert 'role="alert"' in again.text
