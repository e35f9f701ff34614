"""A server that says what a test tells it to, over real HTTP: for answers that no ledger would give."""

import contextlib
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from billing_portal.gateways import PaidAccount
from payments.gateways.paid import Paid

SECRET = "canary-paid-auth-code"
WORDS = {
    "SUCCESS": "ok",
    "NOT_FOUND": "not_found",
    "DUPLICATE": "duplicate",
    "FIXED": "fixed",
    "CANCELLED": "cancelled",
    "REFUSED": "declined",
}


@dataclass
class Reply:
    """`cut` sends fewer bytes than announced; `silent` none at all until the server is stopped.

    `drips` sends byte by byte, so slowly that no single one is late.
    """

    body: object = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    silent: bool = False
    drips: bool = False

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Sent:
    path: str
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, object]:
        body = json.loads(self.text)["body"]
        assert isinstance(body, dict)
        return body


class Canned:
    """Answers with `replies` in turn, the last one again and again; keeps what was `sent`.

    `tls`: a file with key and certificate; then it speaks https.
    """

    def __init__(self, *replies: object, tls: Path | None = None) -> None:
        self.replies = [each if isinstance(each, Reply) else Reply(each) for each in replies]
        self.sent: list[Sent] = []
        self.stopped = threading.Event()
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Canned":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def account(self) -> PaidAccount:
        return account(self.url)

    @property
    def paid(self) -> Paid:
        return Paid(self.account)

    def reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def account(endpoint: str) -> PaidAccount:
    return PaidAccount(
        environment="local",
        endpoint=endpoint,
        auth_code=SECRET,
        merchant="local-paid",
        paths={
            "register_member": "/member/register",
            "check_member": "/member/check",
            "check_credit": "/member/creditCheck",
            "register": "/Register",
            "fix": "/Fix",
            "cancel": "/Cancel",
        },
        member_status={"1": "reviewing", "2": "active", "3": "blocked", "4": "rejected"},
        item_status=WORDS,
        closing_day="31",
        payment_method="1",
    )


def _handler(canned: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            canned.sent.append(Sent(self.path, dict(self.headers), content.decode()))
            reply = canned.reply()
            if reply.silent:
                canned.stopped.wait(30)
                return
            answer = reply.content()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in reply.headers:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if reply.drips:
                self._drip(answer)
            else:
                self.wfile.write(answer[: len(answer) - reply.cut])

        def _drip(self, answer: bytes) -> None:
            with contextlib.suppress(OSError):
                for byte in answer:
                    self.wfile.write(bytes([byte]))
                    canned.stopped.wait(0.01)

        def log_message(self, *values: object) -> None:
            """Keep quiet."""

    return Handler
