"""A server on a free port that says, byte for byte, what a test tells it to; and PayPal's account there."""

import json
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from billing_portal.gateways import PayPalAccount

TOKEN_PATH = "/v1/oauth2/token"
SECRET = "canary-paypal-secret"
TOKEN = "canary-access-token"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived; `headers` by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered: these bytes, and then the connection is closed or held open in silence."""

    content: bytes
    then_silence: bool = False


SILENCE = Said(b"", then_silence=True)
HANG_UP = Said(b"")


def said(
    status: int, body: object = None, *, headers: Mapping[str, str] | None = None, cut: int = 0
) -> Said:
    """Return a whole answer, `body` as JSON unless it is bytes; `cut` bytes of it are never sent."""
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    lines = {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        "Connection": "close",
        **(headers or {}),
    }
    head = f"HTTP/1.1 {status} Said\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    whole = head.encode() + b"\r\n" + content
    return Said(whole[: len(whole) - cut])


def token(seconds: int = 32_400) -> Said:
    """Return PayPal's answer to a client id that it knows."""
    return said(200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": seconds})


@dataclass
class Wire:
    """`answers` in order, the last of them for ever; `tokens` the same for the token requests."""

    answers: list[Said]
    tokens: list[Said] = field(default_factory=lambda: [token()])
    asked: list[Asked] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def __enter__(self) -> "Wire":
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._main = threading.Thread(target=self._accept)
        self._main.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        # Wakes the thread that accepts.
        socket.create_connection(self._server.getsockname()).close()
        self._main.join()
        self._server.close()
        for each in self._threads:
            each.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        number: int = self._server.getsockname()[1]
        return number

    @property
    def calls(self) -> list[Asked]:
        """The requests that were not for a token."""
        return [each for each in self.asked if each.path != TOKEN_PATH]

    @property
    def token_calls(self) -> list[Asked]:
        return [each for each in self.asked if each.path == TOKEN_PATH]

    def _accept(self) -> None:
        while not self._closing.is_set():
            connection, _ = self._server.accept()
            if not self._closing.is_set():
                thread = threading.Thread(target=self._serve, args=[connection])
                thread.start()
                self._threads.append(thread)
            else:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        if self.tls is not None:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        with connection, connection.makefile("rb") as stream:
            line = stream.readline().decode().split()
            headers: dict[str, str] = {}
            while (header := stream.readline().decode().strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", "0")))
            with self._lock:
                self.asked.append(Asked(line[0], line[1], headers, body))
                script = self.tokens if line[1] == TOKEN_PATH else self.answers
                answer = script.pop(0) if len(script) > 1 else script[0]
            try:
                connection.sendall(answer.content)
            except OSError:
                return
            if answer.then_silence:
                self._closing.wait()


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def account(url: str, *, environment: str = "local", certificate_host: str = "") -> PayPalAccount:
    """Return an account with a PayPal that is at `url`."""
    return PayPalAccount(
        environment=environment,
        endpoint=url,
        client_id="local-client",
        secret=SECRET,
        merchant="LOCALMERCHANT",
        webhook_id="local-webhook",
        approval_origins=(url,),
        certificate_hosts=(certificate_host or url.partition("//")[2],),
    )
