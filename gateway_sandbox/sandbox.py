"""The sandbox as tests hold it; the package's docstring shows how."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway_sandbox import certificates
from gateway_sandbox.app import App
from gateway_sandbox.clock import Clock
from gateway_sandbox.faults import Faults
from gateway_sandbox.ledger import Ledger
from gateway_sandbox.notices import Forgery, Notices
from gateway_sandbox.paid.api import PREFIX as PAID_PREFIX
from gateway_sandbox.paid.api import item_status
from gateway_sandbox.paid.control import PaidStaff
from gateway_sandbox.paypal.control import PayPalStaff
from gateway_sandbox.rows import Keep, Notice
from gateway_sandbox.server import Server
from gateway_sandbox.world import Accounts, World


class Sandbox:
    """PayPal and Paid on one port of 127.0.0.1, from `start` (or `with`) to `stop`."""

    def __init__(
        self,
        *,
        port: int = 0,
        accounts: Accounts | None = None,
        ledger: Path | None = None,
        notify: str | Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self.accounts = accounts or Accounts()
        self.ledger = Ledger(ledger)
        self.clock = clock or Clock(_kept_offset(self.ledger))
        self.faults = Faults()
        notices = Notices(
            self.clock,
            _certificate(self.ledger, is_kept=ledger is not None),
            webhook_id=self.accounts.webhook_id,
            notify=[notify] if isinstance(notify, str) else notify,
        )
        self.world = World(self.clock, self.ledger, self.accounts, notices)
        self._app = App(self.world, self.faults)
        self.paypal = PayPalStaff(self.world)
        self.paid = PaidStaff(self.world, self._app.paid)
        self._port = port
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    # --- up and down ---

    def start(self) -> Self:
        """Listen."""
        self.listen_again()
        self.world.notices.start(self.ledger)
        return self

    def listen_again(self) -> None:
        """Listen, at the same port as before."""
        self._server = Server(self._port, self._app)
        self._port = self._server.server_address[1]
        self.world.url = self.world.notices.url = f"http://127.0.0.1:{self._port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop_listening(self) -> None:
        """Have every connection refused; what is known stays known. Rule: F04."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
            self._server = None

    def stop(self) -> None:
        """End everything at once, black-holed requests too."""
        self.world.closing.set()
        self.stop_listening()
        self.world.notices.stop()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- where it is ---

    @property
    def port(self) -> int:
        """The port."""
        return self._port

    @property
    def url(self) -> str:
        """PayPal's endpoint; payers approve there too."""
        return self.world.url

    @property
    def paid_url(self) -> str:
        """Paid's endpoint."""
        return self.url + PAID_PREFIX

    def environment(self) -> dict[str, str]:
        """Return the variables by which the portal finds and uses this sandbox."""
        return {
            "PAYPAL_ENVIRONMENT": "local",
            "PAYPAL_ENDPOINT": self.url,
            "PAYPAL_CLIENT_ID": self.accounts.client_id,
            "PAYPAL_SECRET": self.accounts.secret,
            "PAYPAL_MERCHANT_ID": self.accounts.merchant,
            "PAYPAL_WEBHOOK_ID": self.accounts.webhook_id,
            "PAID_ENVIRONMENT": "local",
            "PAID_ENDPOINT": self.paid_url,
            "PAID_AUTH_CODE": self.accounts.paid_auth_code,
            "PAID_MERCHANT_ID": "local-paid",
            "PAID_ITEM_STATUS": item_status(self.paid.words),
        }

    # --- time ---

    def now(self) -> datetime:
        """Return the sandbox's present moment."""
        return self.clock.now()

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Let time pass at once."""
        self.clock.advance(timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))
        self._keep_offset()

    def set_time(self, at: datetime) -> None:
        """Make it `at` now."""
        self.clock.set(at)
        self._keep_offset()

    def _keep_offset(self) -> None:
        with self.ledger.change():
            self.ledger.put(Keep("clock", str(self.clock.offset.total_seconds())))

    # --- notices ---

    @property
    def notices(self) -> list[Notice]:
        """What PayPal told or would have told, oldest first."""
        return self.world.notices.every(self.ledger)

    def notices_of(self, kind: str) -> list[Notice]:
        """Return the notices of one kind, as PAYMENT.CAPTURE.COMPLETED."""
        return [notice for notice in self.notices if notice.kind == kind]

    def signed(
        self, notice: Notice, *, forge: Forgery = "", at: datetime | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they are sent."""
        return self.world.notices.signed(notice, forge=forge, at=at)

    def deliver(
        self,
        notices: Notice | Sequence[Notice],
        *,
        to: str,
        times: int = 1,
        order: Sequence[int] | None = None,
        forge: Forgery = "",
    ) -> list[int]:
        """Post notices one after the other, in this order of indices; return the statuses."""
        each = [notices] if isinstance(notices, Notice) else list(notices)
        chosen = [each[index] for index in order] if order is not None else each
        return [
            self.world.notices.send(notice, to, forge=forge)
            for notice in chosen
            for _ in range(times)
        ]

    def hold_notices(self) -> None:
        """Send none for a while. Rule: F12."""
        self.world.notices.hold()

    def send_held(self) -> None:
        """Send those held back, and go on."""
        self.world.notices.release()

    @property
    def certificate_url(self) -> str:
        """Where the certificate is that notices are signed with."""
        return self.world.notices.certificate_url

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.world.notices.certificate.certificate_pem

    @property
    def authority_pem(self) -> bytes:
        """The certificate of the authority that signed it."""
        return self.world.notices.certificate.authority_pem


def _kept_offset(ledger: Ledger) -> timedelta:
    """Return how far the clock was moved when the ledger was last in use."""
    with ledger.change():
        kept = ledger.find(Keep, "clock")
        return timedelta(seconds=float(kept.value)) if kept else timedelta()


def _certificate(ledger: Ledger, *, is_kept: bool) -> certificates.Certificates:
    """Return the certificate that goes with the ledger, made the first time."""
    if not is_kept:
        return certificates.shared()
    parts = ("key", "certificate", "authority")
    with ledger.change():
        kept = [ledger.find(Keep, part) for part in parts]
        if not all(kept):
            made = certificates.make()
            pems = (made.key_pem, made.certificate_pem, made.authority_pem)
            kept = [
                ledger.put(Keep(part, pem.decode())) for part, pem in zip(parts, pems, strict=True)
            ]
    return certificates.Certificates(*[row.value.encode() for row in kept if row])
