"""A merchant that calls the sandbox over HTTP."""

from dataclasses import dataclass, field
from typing import Any

import requests

from gateway_sandbox import Sandbox

PATIENCE = 10
MEMBER = {
    "b2bMemberId": "org-1",
    "companyName": "株式会社サンプル",
    "companyNameKana": "カブシキガイシャサンプル",
    "representativeSei": "山田",
    "representativeMei": "花子",
    "representativeSeiKana": "ヤマダ",
    "representativeMeiKana": "ハナコ",
    "zipCode": "103-0014",
    "prefecture": "東京都",
    "address1": "中央区",
    "address2": "日本橋1-1-1",
    "clerkSei": "佐藤",
    "clerkMei": "太郎",
    "clerkSeiKana": "サトウ",
    "clerkMeiKana": "タロウ",
    "tel": "03-1234-5678",
    "email": "keiri@example.co.jp",
}


@dataclass
class Merchant:
    """Calls with the accounts of a sandbox."""

    sandbox: Sandbox
    token: str = field(default="", repr=False)

    def sign_in(self) -> str:
        accounts = self.sandbox.accounts
        answer = requests.post(
            f"{self.sandbox.url}/v1/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(accounts.client_id, accounts.secret),
            timeout=PATIENCE,
        )
        self.token = answer.json()["access_token"]
        return self.token

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str
    ) -> requests.Response:
        """Call PayPal; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named["PayPal-Request-Id"] = key
        token = self.token or self.sign_in()
        return requests.request(
            method,
            self.sandbox.url + path,
            json=body,
            headers={"Authorization": f"Bearer {token}", **named},
            timeout=PATIENCE,
        )

    def setup(
        self,
        *,
        key: str = "setup",
        locale: str = "ja-JP",
        back: str = "http://localhost:8000/back?state=s1",
    ) -> Any:
        return self.call(
            "POST",
            "/v3/vault/setup-tokens",
            {
                "customer": {"merchant_customer_id": "org-1"},
                "payment_source": {
                    "paypal": {
                        "description": "Billing Portal",
                        "usage_type": "MERCHANT",
                        "usage_pattern": "RECURRING_POSTPAID",
                        "experience_context": {
                            "return_url": back,
                            "cancel_url": "http://localhost:8000/no?state=s1",
                            "brand_name": "Vendor <Ltd>",
                            "locale": locale,
                        },
                    }
                },
            },
            key=key,
        ).json()

    def vault(self, setup_token: str, *, key: str = "vault") -> requests.Response:
        source = {"token": {"id": setup_token, "type": "SETUP_TOKEN"}}
        body = {"payment_source": source}
        return self.call("POST", "/v3/vault/payment-tokens", body, key=key)

    def agreement(self, *, email: str = "payer@example.com") -> str:
        """Return the id of a new agreement of this payer."""
        setup = self.setup(key=f"setup {email}")
        self.sandbox.paypal.approve(setup["id"], email=email)
        agreement: str = self.vault(setup["id"], key=f"vault {email}").json()["id"]
        return agreement

    def order(
        self,
        agreement: str = "",
        *,
        value: str = "5500",
        currency: str = "JPY",
        invoice: str = "INV-1",
        key: str = "charge",
        **headers: str,
    ) -> requests.Response:
        """Charge an agreement, or without one ask for the payer's approval."""
        wallet: dict[str, Any] = {
            "vault_id": agreement,
            "stored_credential": {
                "payment_initiator": "MERCHANT",
                "usage_pattern": "RECURRING_POSTPAID",
                "usage": "SUBSEQUENT",
            },
        }
        if not agreement:
            wallet = {
                "experience_context": {
                    "return_url": "http://localhost:8000/paid",
                    "cancel_url": "http://localhost:8000/unpaid",
                    "locale": "en-US",
                }
            }
        unit = {
            "amount": {"currency_code": currency, "value": value},
            "invoice_id": invoice,
            "custom_id": "attempt-1",
        }
        body = {
            "intent": "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": wallet},
        }
        prefer = {"Prefer": "return=representation", **headers}
        return self.call("POST", "/v2/checkout/orders", body, key=key, **prefer)

    def captured(self, agreement: str = "", **order: str) -> str:
        """Charge, and return the capture's id."""
        done = self.order(agreement or self.agreement(), **order).json()
        capture: str = done["purchase_units"][0]["payments"]["captures"][0]["id"]
        return capture

    def refund(
        self, capture: str, value: str = "", *, key: str = "refund", currency: str = "JPY"
    ) -> requests.Response:
        body = {"amount": {"currency_code": currency, "value": value}} if value else None
        return self.call("POST", f"/v2/payments/captures/{capture}/refund", body, key=key)

    def paid(self, path: str, body: Any, *, auth_code: str | None = None) -> Any:
        code = self.sandbox.accounts.paid_auth_code if auth_code is None else auth_code
        message = {"header": {"apiAuthCode": code}, "body": body}
        answer = requests.post(self.paid_url(path), json=message, timeout=PATIENCE)
        assert answer.status_code == 200
        return answer.json()

    def paid_url(self, path: str) -> str:
        return f"{self.sandbox.paid_url}{path}/ver1.0/p.json"

    def member(self, **changed: str) -> Any:
        return self.paid("/member/register", {"memberData": MEMBER | changed})

    def trade(self, act: str, credit: str = "c-1", **changed: Any) -> str:
        """Register, Fix or Cancel one transaction; return the word of its result."""
        item = {"b2bMemberId": "org-1", "b2bCreditId": credit}
        added: dict[str, dict[str, Any]] = {
            "Register": {"contents": "November", "code": "INV-1", "price": 5500},
            "Fix": {"fixedAt": "2026/11/30"},
            "Cancel": {},
        }
        place = "b2bMemberId" if act == "Register" else "b2bCreditId"
        items = [item | added[act] | changed]
        answer = self.paid(f"/{act}/{place}", {"credits": {"credit": items}})
        assert answer["header"]["status"] == "SUCCESS"
        word: str = answer["body"]["detailResults"]["detailResult"][0]["status"]
        return word


def issue(answer: requests.Response) -> str:
    """Return what an error answer names as its reason."""
    found: str = answer.json()["details"][0]["issue"]
    return found
