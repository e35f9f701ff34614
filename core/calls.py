"""One POST to an address that somebody gave us: to nowhere else, and not for long. Rule: ASVS 1.3.6.

The name is looked up once and the connection goes to the address that was checked, so that a name
server cannot change its mind in between. Redirects are not followed, and no body is read.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_PORTS = {"https": 443, "http": 80}
# Ways to write an IPv4 address as one of IPv6: the network behind decides where it leads.
_TRANSLATED = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


class NotAllowed(ValueError):
    """Nothing may be sent to this address; the message says why, without naming it."""


class NoAnswer(Exception):
    """Nobody answered in time, or not as HTTP has it. It may have arrived all the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`is_strict`: https alone, and no address inside a network of ours. `seconds`: for the whole call."""

    is_strict: bool
    seconds: float


def check(url: str, limits: Limits) -> SplitResult:
    """Return an address in its parts, if something may be sent to it. Raises NotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise NotAllowed("it is no address") from fault
    if not url.isascii() or not url.isprintable() or " " in url:
        raise NotAllowed("it holds characters that no address has")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise NotAllowed("it is no http or https address")
    if limits.is_strict and parts.scheme != "https":
        raise NotAllowed("it does not begin with https://")
    if "@" in parts.netloc:
        raise NotAllowed("it holds a user name")
    if parts.fragment or port == 0:
        raise NotAllowed("it names a fragment, or port 0")
    return parts


def post(url: str, body: bytes, headers: Mapping[str, str], limits: Limits) -> int:
    """Send a body once and return the status of the answer. Raises NotAllowed, NoAnswer."""
    parts = check(url, limits)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    link = _Link(host, port, _address(host, port, limits), limits.seconds, parts.scheme == "https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    end = threading.Timer(limits.seconds, link.break_off)
    end.daemon = True
    end.start()
    try:
        link.request("POST", target, body, dict(headers))
        status = link.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as fault:
        reason = "TimeoutError" if link.is_broken_off else type(fault).__name__
        raise NoAnswer(reason) from fault
    finally:
        end.cancel()
        link.close()
    if link.is_broken_off:
        raise NoAnswer("TimeoutError")
    return status


def _address(host: str, port: int, limits: Limits) -> str:
    """Return the address to connect to; none of a name's addresses may lead inside."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise NoAnswer(type(fault).__name__) from fault
    addresses = [str(each[4][0]) for each in found]
    if limits.is_strict and not all(_is_public(address) for address in addresses):
        raise NotAllowed("it leads to an address that is not public")
    return addresses[0]


def _is_public(written: str) -> bool:
    address = ipaddress.ip_address(written.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


class _Link(http.client.HTTPConnection):
    """A connection to an address that was checked, under the name that was asked for."""

    def __init__(
        self, host: str, port: int, address: str, seconds: float, is_encrypted: bool
    ) -> None:
        self.default_port = _PORTS["https" if is_encrypted else "http"]
        super().__init__(host, port, timeout=seconds)
        self._checked = address
        self._seconds = seconds
        self._context = ssl.create_default_context() if is_encrypted else None
        self.is_broken_off = False

    def connect(self) -> None:
        self.sock = socket.create_connection((self._checked, self.port), self._seconds)
        if self._context is not None:
            # The handshake comes second: until then, too, `break_off` must find the socket.
            self.sock = self._context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def break_off(self) -> None:
        """End the call, from another thread: who sends a byte now and then ends no time-out."""
        self.is_broken_off = True
        with suppress(OSError, AttributeError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
