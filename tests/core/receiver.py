"""A real HTTP server on a free port that answers as it is told, and keeps what it was sent."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer: TypeAlias = Callable[[BaseHTTPRequestHandler], None]


@dataclass(slots=True)
class Receiver:
    """`answers` are given in turn, then 200 to whatever comes."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def lost(handler: BaseHTTPRequestHandler) -> None:
    """Take the request and hang up without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def dripping(stopping: threading.Event) -> Answer:
    """Send a byte now and then, for ever: no single read of the caller's ever times out."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not stopping.wait(0.05):
                handler.wfile.write(b"H")
        except OSError:
            stopping.wait()

    return answer


@contextmanager
def running(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(Received(self.path, dict(self.headers), body))
            (receiver.answers.pop(0) if receiver.answers else status(200))(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hooks?for=portal")
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            receiver.url = f"https://localhost:{server.server_port}/hooks?for=portal"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.stopping.set()
            server.shutdown()
            thread.join()


@contextmanager
def encrypted(folder: Path, name: str) -> Iterator[Receiver]:
    """Run a receiver that speaks TLS with a certificate for `name`, to be trusted as folder/ca.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with running(context) as receiver:
        yield receiver
