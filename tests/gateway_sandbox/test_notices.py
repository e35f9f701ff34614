"""Notices: told as things happen, signed as PayPal signs, sent until they are taken."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway_sandbox import Sandbox, certificates
from gateway_sandbox.notices import Forgery
from tests.gateway_sandbox.client import PATIENCE, Merchant


@dataclass
class Listener:
    """A merchant's own server: what it was sent, and what it answers, the last for ever."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def await_sent(self, count: int) -> list[str]:
        """Return the kinds of the next `count` notices, when they have come."""
        for _ in range(count):
            assert self.came.acquire(timeout=PATIENCE)
        return [json.loads(body)["event_type"] for _, body in self.got]


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            answers = listener.answers
            self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()
            listener.came.release()

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener.url = f"http://127.0.0.1:{server.server_address[1]}/notices/paypal/"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield listener
        server.shutdown()
        thread.join()


def is_signed(sandbox: Sandbox, headers: dict[str, str], body: bytes) -> bool:
    """Check as a merchant does, with nothing but the certificate that is served."""
    named = {name.lower(): value for name, value in headers.items()}
    if "paypal-transmission-sig" not in named:
        return False
    pem = requests.get(sandbox.certificate_url, timeout=PATIENCE).content
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    message = certificates.signed_text(
        named["paypal-transmission-id"],
        named["paypal-transmission-time"],
        sandbox.accounts.webhook_id,
        body,
    )
    signature = base64.b64decode(named["paypal-transmission-sig"])
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return named["paypal-cert-url"] == sandbox.certificate_url


def test_a_charge_and_a_registration_are_told(sandbox: Sandbox, merchant: Merchant) -> None:
    capture = merchant.captured()

    assert [notice.kind for notice in sandbox.notices] == [
        "VAULT.PAYMENT-TOKEN.CREATED",
        "PAYMENT.CAPTURE.COMPLETED",
        "CHECKOUT.ORDER.COMPLETED",
    ]
    event = json.loads(sandbox.notices[1].body)
    assert (event["resource_type"], event["resource"]["id"]) == ("capture", capture)
    assert not any(notice.is_due or notice.tries for notice in sandbox.notices)


def test_a_notice_is_signed(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.captured()

    assert all(is_signed(sandbox, *sandbox.signed(notice)) for notice in sandbox.notices)


@pytest.mark.parametrize("forge", ["key", "body", "webhook_id", "algorithm", "unsigned", "host"])
def test_a_forged_notice_is_not(sandbox: Sandbox, merchant: Merchant, forge: Forgery) -> None:
    merchant.captured()
    notice = sandbox.notices[0]

    assert not is_signed(sandbox, *sandbox.signed(notice, forge=forge))


def test_the_certificate_is_the_authoritys_and_names_this_machine(sandbox: Sandbox) -> None:
    leaf = x509.load_pem_x509_certificate(sandbox.certificate_pem)
    authority = x509.load_pem_x509_certificate(sandbox.authority_pem)
    served = requests.get(sandbox.certificate_url, timeout=PATIENCE).content

    leaf.verify_directly_issued_by(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert leaf.not_valid_before_utc < sandbox.now() < leaf.not_valid_after_utc
    assert served == sandbox.certificate_pem + sandbox.authority_pem
    assert requests.get(sandbox.certificate_url + "x", timeout=PATIENCE).status_code == 404


def test_paypal_itself_verifies_a_notice(sandbox: Sandbox, merchant: Merchant) -> None:
    merchant.captured()

    def verdict(forge: Forgery) -> str:
        headers, body = sandbox.signed(sandbox.notices[0], forge=forge)
        asked = {
            "auth_algo": headers["PayPal-Auth-Algo"],
            "cert_url": headers["PayPal-Cert-Url"],
            "transmission_id": headers["PayPal-Transmission-Id"],
            "transmission_sig": headers["PayPal-Transmission-Sig"],
            "transmission_time": headers["PayPal-Transmission-Time"],
            "webhook_id": sandbox.accounts.webhook_id,
            "webhook_event": json.loads(body),
        }
        path = "/v1/notifications/verify-webhook-signature"
        told: str = merchant.call("POST", path, asked).json()["verification_status"]
        return told

    assert [verdict(forge) for forge in ("", "key", "body")] == ["SUCCESS", "FAILURE", "FAILURE"]


def test_notices_are_delivered_in_any_order_and_number(
    sandbox: Sandbox, merchant: Merchant
) -> None:
    merchant.captured()
    with listening() as listener:
        listener.answers = [200, 200, 500, 200]
        answers = sandbox.deliver(sandbox.notices, to=listener.url, times=2, order=[2, 0])

    kinds = [json.loads(body)["event_type"] for _, body in listener.got]
    assert answers == [200, 200, 500, 200]
    assert kinds == ["CHECKOUT.ORDER.COMPLETED"] * 2 + ["VAULT.PAYMENT-TOKEN.CREATED"] * 2
    assert all(is_signed(sandbox, headers, body) for headers, body in listener.got)


def test_a_notice_is_sent_again_until_it_is_taken() -> None:
    with listening() as listener, Sandbox(notify=listener.url) as sandbox:
        listener.answers = [500, 200]
        Merchant(sandbox).agreement()
        listener.await_sent(1)
        sandbox.advance(minutes=11)
        kinds = listener.await_sent(1)

    assert kinds == ["VAULT.PAYMENT-TOKEN.CREATED"] * 2
    assert listener.got[0][1] == listener.got[1][1]


def test_what_nobody_took_is_sent_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with listening() as listener:
        with Sandbox(ledger=file, notify="http://127.0.0.1:9/") as sandbox:
            sandbox.hold_notices()
            Merchant(sandbox).agreement()
        with Sandbox(ledger=file, notify=listener.url):
            kinds = listener.await_sent(1)

    assert kinds == ["VAULT.PAYMENT-TOKEN.CREATED"]


def test_notices_can_be_held_back_and_come_before_the_answer() -> None:
    with listening() as listener, Sandbox(notify=listener.url) as sandbox:
        merchant = Merchant(sandbox)
        sandbox.hold_notices()
        agreement = merchant.agreement()
        sandbox.faults.notices_first("POST /v2/checkout/orders")
        held = sandbox.faults.hold("POST /v2/checkout/orders")
        call = threading.Thread(target=merchant.order, args=(agreement,))
        call.start()
        assert held.reached.wait(5)
        before_the_answer = listener.await_sent(2)
        held.release()
        call.join()
        sandbox.send_held()
        listener.await_sent(1)

    assert before_the_answer == ["PAYMENT.CAPTURE.COMPLETED", "CHECKOUT.ORDER.COMPLETED"]
    assert len(listener.got) == 3
