"""Notices (webhooks): recorded as they come about, signed as PayPal signs, sent and sent again."""

import http.client
import json
import secrets
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes

from gateway_sandbox import certificates
from gateway_sandbox.clock import Clock
from gateway_sandbox.ledger import Ledger
from gateway_sandbox.rows import Notice

Forgery = Literal["", "key", "body", "webhook_id", "algorithm", "unsigned", "host"]
MOST_TRIES = 25
LONGEST_PAUSE = timedelta(minutes=10)
PATIENCE = 10.0
CERTIFICATE_PATH = "/v1/notifications/certs/"
_TYPES = {"CAPTURE.REFUNDED": "refund", "CAPTURE.REVERSED": "refund", "CAPTURE": "capture"}


class Notices:
    """What PayPal tells by itself, and the thread that sends it."""

    def __init__(
        self,
        clock: Clock,
        certificate: certificates.Certificates,
        *,
        webhook_id: str,
        notify: Sequence[str],
    ) -> None:
        self.certificate = certificate
        self.url = ""  # of the sandbox, once it listens
        self._clock = clock
        self._webhook_id = webhook_id
        self._notify = tuple(notify)
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._held = threading.Event()
        self._thread: threading.Thread | None = None
        self._due: dict[str, Notice] = {}

    @property
    def certificate_url(self) -> str:
        """Where the certificate is; another certificate has another address."""
        return f"{self.url}{CERTIFICATE_PATH}{self.certificate_name}"

    @property
    def certificate_name(self) -> str:
        """The last part of the certificate's address."""
        return f"CERT-{uuid.uuid5(uuid.NAMESPACE_URL, self.certificate.certificate_pem.decode())}"

    # --- they come about ---

    def tell(
        self, ledger: Ledger, kind: str, resource: str, body: dict[str, Any], now: datetime
    ) -> Notice:
        """Record a notice; it is sent by itself if somebody is to be notified."""
        event_id = f"WH-{secrets.token_hex(9).upper()[:17]}-{secrets.token_hex(9).upper()[:17]}"
        types = [name for part, name in _TYPES.items() if part in kind]
        event = {
            "id": event_id,
            "event_version": "1.0",
            "create_time": now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "resource_type": types[0] if types else kind.split(".")[-2].lower().replace("-", "_"),
            "resource_version": "2.0",
            "event_type": kind,
            "summary": f"{kind.replace('.', ' ').lower()} for {resource}",
            "resource": body,
            "links": [
                {
                    "href": f"{self.url}/v1/notifications/webhooks-events/{event_id}",
                    "rel": "self",
                    "method": "GET",
                }
            ],
        }
        notice = Notice(
            id=event_id,
            kind=kind,
            resource=resource,
            body=json.dumps(event, ensure_ascii=False),
            created_at=now,
            is_due=bool(self._notify),
        )
        ledger.put(notice)
        self._note(notice)
        return notice

    def _note(self, notice: Notice) -> None:
        if notice.is_due:
            self._due[notice.id] = notice
            self._wake.set()

    # --- they are signed ---

    def signed(
        self, notice: Notice, *, forge: Forgery = "", at: datetime | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body as they are sent; `forge` says what is false about them."""
        body = notice.body.encode()
        transmission = str(uuid.uuid4())
        time = (at or self._clock.now()).strftime("%Y-%m-%dT%H:%M:%SZ")
        webhook_id = "somebody-elses-webhook" if forge == "webhook_id" else self._webhook_id
        message = certificates.signed_text(transmission, time, webhook_id, body)
        signer = certificates.foreign() if forge == "key" else self.certificate
        weak = forge == "algorithm"
        headers = {
            "PayPal-Transmission-Id": transmission,
            "PayPal-Transmission-Time": time,
            "PayPal-Transmission-Sig": signer.sign(message, hashes.MD5() if weak else None),  # noqa: S303
            "PayPal-Cert-Url": self.certificate_url,
            "PayPal-Auth-Algo": "MD5withRSA" if weak else "SHA256withRSA",
            "PayPal-Auth-Version": "v2",
            "Content-Type": "application/json",
            "User-Agent": "PayPal/AUHD-sandbox",
        }
        if forge == "host":
            headers["PayPal-Cert-Url"] = f"https://api.paypal.com.evil.example{CERTIFICATE_PATH}x"
        if forge == "body":
            body = body.replace(b'"event_version"', b'"event_Version"', 1)
        if forge == "unsigned":
            headers = {"Content-Type": "application/json"}
        return headers, body

    def is_ours(self, headers: dict[str, str], body: bytes, *, webhook_id: str) -> bool:
        """Return whether a notice that is passed back to us is one of ours."""
        message = certificates.signed_text(
            headers["paypal-transmission-id"],
            headers["paypal-transmission-time"],
            webhook_id,
            body,
        )
        return (
            headers["paypal-auth-algo"] == "SHA256withRSA"
            and headers["paypal-cert-url"] == self.certificate_url
            and self.certificate.is_signed(message, headers["paypal-transmission-sig"])
        )

    # --- they are sent ---

    def send(self, notice: Notice, to: str, *, forge: Forgery = "") -> int:
        """Post a notice; return the status, or 0 if nobody answered."""
        headers, body = self.signed(notice, forge=forge)
        parts = urlsplit(to)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=PATIENCE
        )
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target or "/", body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return answer.status
        finally:
            connection.close()

    def send_due(self, ledger: Ledger, *, only: frozenset[str] | None = None) -> None:
        """Send what is due, once each; what is not taken is due again later."""
        now = self._clock.now()
        with ledger.change():
            due = [
                row
                for row in self._due.values()
                if (only is None or row.id in only)
                and (row.next_try_at is None or row.next_try_at <= now)
            ]
        for notice in due:
            answers = [self.send(notice, url) for url in self._notify]
            is_taken = all(200 <= status < 300 for status in answers)
            with ledger.change():
                notice.tries += 1
                notice.answers.extend(answers)
                notice.is_due = not is_taken and notice.tries < MOST_TRIES
                pause = min(timedelta(seconds=2**notice.tries), LONGEST_PAUSE)
                notice.next_try_at = self._clock.now() + pause
                ledger.put(notice)
                if not notice.is_due:
                    self._due.pop(notice.id, None)

    def every(self, ledger: Ledger) -> list[Notice]:
        """Return copies of all notices, oldest first."""
        with ledger.change():
            return [replace(row) for row in ledger.every(Notice)]

    def send_again(self, ledger: Ledger, notice_id: str) -> None:
        """Have a notice sent once more. Raises KeyError."""
        with ledger.change():
            notice = ledger.find(Notice, notice_id)
            if notice is None:
                raise KeyError(notice_id)
            notice.is_due, notice.next_try_at = bool(self._notify), None
            ledger.put(notice)
            self._note(notice)

    def start(self, ledger: Ledger) -> None:
        """Begin to send by itself, if somebody is to be notified."""
        if self._notify:
            with ledger.change():
                for notice in ledger.every(Notice):
                    self._note(notice)
            self._thread = threading.Thread(target=self._run, args=(ledger,), daemon=True)
            self._thread.start()

    def _run(self, ledger: Ledger) -> None:
        while not self._closing.is_set():
            self._wake.wait(1)
            self._wake.clear()
            if not (self._held.is_set() or self._closing.is_set()):
                self.send_due(ledger)

    def hold(self) -> None:
        """Send nothing for a while. Rule: F12."""
        self._held.set()

    def release(self) -> None:
        """Send what was held, and go on."""
        self._held.clear()
        self._wake.set()

    def stop(self) -> None:
        """Send no more."""
        self._closing.set()
        self._wake.set()
        if self._thread:
            self._thread.join(PATIENCE + 1)
