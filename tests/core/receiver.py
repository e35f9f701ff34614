"""A real HTTP server on a free port that answers as it is told, and keeps what it was sent."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


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
def running() -> Iterator[Receiver]:
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
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.stopping.set()
            server.shutdown()
            thread.join()
