"""The sandbox as a process: what it knows outlives kill -9."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from devstack.places import ROOT
from gateway_sandbox import Accounts, Sandbox
from tests.gateway_sandbox.client import PATIENCE, Merchant, issue

TABLES = (
    "setup_tokens",
    "payment_tokens",
    "payers",
    "orders",
    "captures",
    "refunds",
    "reversals",
    "members",
    "trades",
)
ACCOUNTS = Accounts(secret="process-secret", paid_auth_code="process-code")


@dataclass
class Running:
    """A process that listens; `said` is its log when it has ended."""

    process: subprocess.Popen[str]
    port: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> tuple[int, str]:
        """Ask it to end; return its code and the rest of its log."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def running(ledger: Path, port: int = 0) -> Iterator[Running]:
    """Have the process up for a while; it is killed at the end, if it still runs."""
    command = [sys.executable, "-m", "gateway_sandbox", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--ledger", str(ledger)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "PAYPAL_SECRET": ACCOUNTS.secret,
            "PAID_AUTH_CODE": ACCOUNTS.paid_auth_code,
        },
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"listening at http://127\.0\.0\.1:([0-9]+)/", first)
        assert found, first
        try:
            yield Running(process, int(found[1]))
        finally:
            process.kill()


def merchant_of(running: Running) -> Merchant:
    """Return a merchant of a sandbox that runs elsewhere: only its addresses are used."""
    sandbox = Sandbox(accounts=ACCOUNTS)
    sandbox.world.url = f"http://127.0.0.1:{running.port}"
    return Merchant(sandbox)


def approve(url: str) -> None:
    requests.post(
        url,
        data={"act": "approve", "email": "payer@example.com"},
        timeout=PATIENCE,
        allow_redirects=False,
    )


def test_the_ledger_outlives_a_kill(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with running(ledger) as first:
        merchant = merchant_of(first)
        setup = merchant.setup()
        approve(setup["links"][0]["href"])
        agreement = merchant.vault(setup["id"]).json()["id"]
        order = merchant.order(agreement).json()
        merchant.member()
        first.kill()

    with running(ledger, first.port) as second:
        again = merchant.order(agreement)
        other = merchant.order(agreement, key="other")
        capture = order["purchase_units"][0]["payments"]["captures"][0]["id"]
        refund = merchant.refund(capture, "500")
        member = merchant.paid("/member/check", {"b2bMemberIds": ["org-1"]})

    assert second.port == first.port
    assert (again.status_code, again.json()["id"]) == (200, order["id"])
    assert issue(other) == "DUPLICATE_INVOICE_ID"
    assert refund.status_code == 201
    assert member["body"]["results"]["successes"][0]["memberStatusCode"] == "1"


def test_the_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    with Sandbox(ledger=file) as sandbox:
        merchant = Merchant(sandbox)
        capture = merchant.captured()
        merchant.refund(capture, "500")
        sandbox.paypal.reverse(capture, 100)
        sandbox.paypal.forget_keys()
        merchant.member()
        sandbox.paid.approve("org-1")
        merchant.trade("Register")
        merchant.trade("Fix")
        sandbox.advance(hours=7)
        certificate = sandbox.certificate_pem
        written = [getattr(sandbox.ledger, table) for table in TABLES]
        notices, now = sandbox.notices, sandbox.now()

    with Sandbox(ledger=file) as sandbox:
        assert [getattr(sandbox.ledger, table) for table in TABLES] == written
        assert sandbox.notices == notices
        assert sandbox.certificate_pem == certificate
        assert 0 <= (sandbox.now() - now).total_seconds() < 60
        merchant = Merchant(sandbox)
        assert issue(merchant.order(sandbox.ledger.payment_tokens[0].id)) == "DUPLICATE_INVOICE_ID"


def test_a_polite_end_tells_no_secret(tmp_path: Path) -> None:
    with running(tmp_path / "ledger.sqlite") as process:
        merchant = merchant_of(process)
        merchant.sign_in()
        merchant.member()
        code, said = process.end()

    assert code == 0
    assert "POST /v1/oauth2/token 200" in said
    assert ACCOUNTS.secret not in said
    assert ACCOUNTS.paid_auth_code not in said
