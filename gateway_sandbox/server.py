"""The HTTP server: requests in, faults on the way, answers out."""

import contextlib
import http.server
import logging
import socket
import socketserver
import sys
import threading
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from gateway_sandbox.answers import Answer
from gateway_sandbox.app import App
from gateway_sandbox.fault_kinds import HangUp
from gateway_sandbox.rows import Request

log = logging.getLogger("gateway_sandbox")

LARGEST_BODY = 1_000_000
IDLE_PATIENCE = 75.0


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One port; a thread for each connection, and none of them is waited for at the end."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, app: App) -> None:
        self.app = app
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking for the machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that it can be ended."""
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong; a caller who went away is nothing wrong."""
        log.debug("a connection ended early: %r", sys.exc_info()[1])

    def stop(self) -> None:
        """Listen no more, and end every connection."""
        self.shutdown()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "gateway-sandbox"
    sys_version = ""
    timeout = IDLE_PATIENCE
    # Head and body leave as two writes, and without this the second waits for an acknowledgement.
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        target = urlsplit(self.path)
        app = self.server.app
        request = Request(
            method=self.command,
            path=target.path,
            query=target.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
            at=app.world.now(),
        )
        try:
            answer = app.answer(request)
        except HangUp as end:
            log.info("%s %s -", request.method, request.path)
            if end.sent:
                self.wfile.write(end.sent)
            self.close_connection = True
            return
        except Exception:
            log.exception("%s %s", request.method, request.path)
            answer = Answer(500, b"The sandbox itself is at fault; its log says why.")
        request.status = answer.status
        log.info("%s %s %d", request.method, request.path, answer.status)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = do_HEAD = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Leave it to our own log, which knows no query."""
