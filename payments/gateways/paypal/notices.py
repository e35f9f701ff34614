"""PayPal's notices (webhooks): whether one is PayPal's, for us, and what it is about. Rule: F16, F17.

Checked on the raw bytes, and everything before the first connection that can be: all headers, the
algorithm, the time of sending, and the certificate's address, which must be on a host that the
settings name. Of the certificate: it came over TLS from that host, its dates, its name, that another
signed it and, where its issuers are in the same file, that they did. Not checked: whether it was
revoked, and its chain up to a root, as PayPal does not promise to send one.
"""

import base64
import binascii
import ipaddress
import itertools
import json
import re
import socket
import threading
import time
import urllib.parse
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import requests
import urllib3.exceptions
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from payments.gateways.base import About, BadNotice, Notice, NoticeUnverified
from payments.gateways.paypal import codes
from payments.gateways.paypal.account import Account
from payments.gateways.paypal.answers import Unreadable, instant, items, link, text

ALGORITHM = "SHA256withRSA"
# PayPal repeats a notice for three days; clocks differ.
OLDEST, NEWEST = timedelta(days=3, hours=6), timedelta(minutes=15)
_CERTIFICATE_PATH = "/v1/notifications/certs/"
# Nothing that two readers of an address could understand differently: no %, @, \\, ?, # or space.
_PLAIN_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._-]+)+", re.ASCII)
LONGEST_ADDRESS = 500
_CERTIFICATE_NAMES = {
    "live": "messageverificationcerts.paypal.com",
    "sandbox": "messageverificationcerts.sandbox.paypal.com",
}
LARGEST_CERTIFICATE = 64 * 1024
FETCH_SECONDS = 5.0
_KEPT, _KEPT_FOR = 8, timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class _Transmission:
    """The headers of a notice, all there."""

    id: str
    time: str
    signature: bytes
    certificate_url: str


class Notices:
    """Checks the notices of one account; certificates are kept for some hours."""

    def __init__(
        self,
        account: Account,
        *,
        now: Callable[[], datetime],
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        self._account = account
        self._now = now
        self._fetch_seconds = fetch_seconds
        self._kept: OrderedDict[str, tuple[datetime, x509.Certificate]] = OrderedDict()
        self._lock = threading.Lock()

    def notice_in(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Return what a notice is about. Raises BadNotice, or NoticeUnverified."""
        told = self._transmission(headers)
        certificate = self._certificate(told.certificate_url)
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise BadNotice("not an RSA key")
        signed = f"{told.id}|{told.time}|{self._account.webhook_id}|{zlib.crc32(body)}"
        try:
            key.verify(told.signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise BadNotice("signature") from None
        return _notice(body)

    def _transmission(self, headers: Mapping[str, str]) -> _Transmission:
        """Return the headers of a notice. Raises BadNotice; nothing has been fetched by then."""
        found = {
            name: headers.get(f"paypal-{name}", "")
            for name in (
                "transmission-id",
                "transmission-time",
                "transmission-sig",
                "cert-url",
                "auth-algo",
            )
        }
        if missing := [name for name, value in found.items() if not value]:
            raise BadNotice(f"no {missing[0]}")
        if found["auth-algo"] != ALGORITHM:
            raise BadNotice("auth-algo")
        self._check_time(found["transmission-time"])
        self._check_address(found["cert-url"])
        try:
            signature = base64.b64decode(found["transmission-sig"], validate=True)
        except (binascii.Error, ValueError):
            raise BadNotice("transmission-sig") from None
        return _Transmission(
            found["transmission-id"], found["transmission-time"], signature, found["cert-url"]
        )

    def _check_time(self, told: str) -> None:
        try:
            sent_at = instant(told)
        except Unreadable:
            raise BadNotice("transmission-time") from None
        if not self._now() - OLDEST <= sent_at <= self._now() + NEWEST:
            raise BadNotice("transmission-time")

    def _check_address(self, url: str) -> None:
        """Refuse an address that is not, to the letter, on a host that the settings name."""
        if len(url) > LONGEST_ADDRESS or not _PLAIN_ADDRESS.fullmatch(url):
            raise BadNotice("cert-url")
        parts = urllib.parse.urlsplit(url)
        schemes = {"https", "http"} if self._is_local else {"https"}
        if (
            parts.scheme not in schemes
            or parts.netloc not in self._account.certificate_hosts
            or not parts.path.startswith(_CERTIFICATE_PATH)
            or any(not piece.strip(".") for piece in parts.path.split("/")[1:])
        ):
            raise BadNotice("cert-url")

    @property
    def _is_local(self) -> bool:
        return self._account.environment == "local"

    def _certificate(self, url: str) -> x509.Certificate:
        """Return a certificate in force, fetched at most once in some hours."""
        now = self._now()
        with self._lock:
            until, kept = self._kept.get(url, (now, None))
        if kept is None or until <= now:
            kept = _leaf(self._fetch(url))
            check_name(kept, self._account.environment)
            with self._lock:
                self._kept[url] = (now + _KEPT_FOR, kept)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        if not kept.not_valid_before_utc <= now <= kept.not_valid_after_utc:
            raise BadNotice("certificate out of date")
        return kept

    def _fetch(self, url: str) -> bytes:
        """Return the bytes behind an address that was checked. Raises BadNotice, NoticeUnverified."""
        ends = time.monotonic() + self._fetch_seconds
        self._check_where(url)
        try:
            with (
                requests.Session() as session,
                session.get(
                    url,
                    timeout=(min(3.0, self._fetch_seconds), self._fetch_seconds),
                    allow_redirects=False,
                    stream=True,
                    headers={"Accept-Encoding": "identity"},
                ) as response,
            ):
                if response.status_code >= 500 or response.status_code == 429:
                    raise NoticeUnverified(f"HTTP_{response.status_code}")
                if response.status_code != 200:
                    raise BadNotice(f"certificate: HTTP_{response.status_code}")
                return _capped(response, ends)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as fault:
            raise NoticeUnverified(type(fault).__name__) from None

    def _check_where(self, url: str) -> None:
        """Refuse a host whose name leads into a private network, before any connection."""
        if self._is_local:
            return
        parts = urllib.parse.urlsplit(url)
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        except OSError:
            raise NoticeUnverified("no such host") from None
        if any(not ipaddress.ip_address(each[4][0]).is_global for each in found):
            raise BadNotice("cert-url leads into a private network")


def check_name(certificate: x509.Certificate, environment: str) -> None:
    """Refuse a certificate that is not issued to PayPal's notices; a stand-in may have any name.

    Raises BadNotice.
    """
    if environment == "local":
        return
    if certificate.issuer == certificate.subject:
        raise BadNotice("certificate signed by itself")
    if _CERTIFICATE_NAMES[environment] not in _names(certificate):
        raise BadNotice("certificate of another name")


def _capped(response: requests.Response, ends: float) -> bytes:
    content = bytearray()
    while part := response.raw.read1(8192, decode_content=False):
        content += part
        if len(content) > LARGEST_CERTIFICATE:
            raise BadNotice("certificate too large")
        if time.monotonic() > ends:
            raise NoticeUnverified("certificate too slow")
    return bytes(content)


def _leaf(pem: bytes) -> x509.Certificate:
    """Return the certificate of a file; the others in it must be its issuers, in order."""
    try:
        chain = x509.load_pem_x509_certificates(pem)
        for issued, issuer in itertools.pairwise(chain):
            issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise BadNotice("certificate") from None
    return chain[0]


def _names(certificate: x509.Certificate) -> set[str]:
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names = {str(each.value) for each in common}
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return names | set(others.value.get_values_for_type(x509.DNSName))


def _notice(body: bytes) -> Notice:
    """Return what a body that PayPal signed is about. Raises BadNotice."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise BadNotice("no JSON") from None
    event_id, kind = text(event, "id"), text(event, "event_type")
    if not event_id or not kind:
        raise BadNotice("no event")
    about = codes.NOTICE_KINDS.get(kind, About.NOTHING)
    references = () if about is About.NOTHING else _references(event.get("resource"))
    return Notice(event_id, kind, about, references)


def _references(resource: object) -> tuple[str, ...]:
    """Return the names of what a notice is about: itself, what it belongs to, and our key."""
    found = [
        text(resource, "id"),
        text(resource, "supplementary_data", "related_ids", "order_id"),
        text(resource, "supplementary_data", "related_ids", "capture_id"),
        urllib.parse.urlsplit(link(resource, "up")).path.rpartition("/")[2],
        text(resource, "custom_id"),
    ]
    for unit in items(resource, "purchase_units"):
        found.append(text(unit, "custom_id"))
        found += [text(each, "id") for each in items(unit, "payments", "captures")]
    return tuple(dict.fromkeys(each for each in found if each))
