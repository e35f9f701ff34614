"""Paid's HTTP: one POST of JSON, the secret in its body, and an answer that is believed in nothing.

Rule: R17, F02, F03, F68, gateways.md 3.2, ASVS 15.3.5.
"""

import json
import logging
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from payments.gateways.base import AnswerLost, GatewayMisconfigured, GatewayUnreachable, Secret
from payments.gateways.paid.account import PaidSettings

logger = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 3, 20
_LONGEST_ANSWER = 256 * 1024
_LONGEST_WAIT = timedelta(days=1)
_READABLE = re.compile(r"[A-Za-z0-9_. -]{1,60}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Paid said to a whole and readable answer. `status`: SUCCESS, ERROR or CLIENT_ERROR."""

    status: str
    body: Mapping[str, object]

    @property
    def is_success(self) -> bool:
        return self.status == "SUCCESS"


class WrongShape(Exception):
    """An answer is JSON, and not what was agreed. Rule: F65."""


class Client:
    """Calls Paid. Each call has a connection of its own.

    A kept connection may be closed while a request is under way, and nobody could tell whether it
    was read: with a fresh one, what never left is told apart from what may have arrived.
    """

    def __init__(self, account: PaidSettings, *, read_seconds: float = READ_SECONDS) -> None:
        self._account = account
        self._read_seconds = read_seconds
        self._secret = Secret(account.auth_code)

    def post(self, operation: str, body: Mapping[str, object]) -> Answer:
        """Return Paid's answer. Raises GatewayUnreachable, GatewayMisconfigured, AnswerLost."""
        # The frames that hold the secret have returned before anything is raised: a trace with the
        # values of its frames shows none of it (F68).
        told = self._exchange(operation, body)
        if isinstance(told, Answer):
            logger.info("Paid answered", extra={"operation": operation, "status": told.status})
            return told
        logger.warning("Paid did not answer", extra={"operation": operation, "fault": repr(told)})
        raise told

    def safe(self, code: object) -> str:
        """Return a code of Paid's as it may be stored and logged: short and plain."""
        text = code if isinstance(code, str) else type(code).__name__
        return text if _READABLE.fullmatch(text) else "unreadable"

    def _exchange(
        self, operation: str, body: Mapping[str, object]
    ) -> Answer | GatewayUnreachable | GatewayMisconfigured | AnswerLost:
        payload = {"header": {"apiAuthCode": self._secret.reveal}, "body": body}
        try:
            with requests.post(
                self._account.endpoint + self._account.paths[operation],
                data=json.dumps(payload, ensure_ascii=False).encode(),
                headers={
                    "Content-Type": "application/json; charset=UTF-8",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
                timeout=(CONNECT_SECONDS, self._read_seconds),
                allow_redirects=False,
                verify=True,
                stream=True,
            ) as response:
                if response.status_code != 200:
                    return _refused(response)
                content = _content(response, self._read_seconds)
                # An answer that echoes what was sent must not carry the secret any further.
                return _answer(content.replace(self._secret.reveal.encode(), b""))
        except _Unreadable as error:
            return AnswerLost(str(error))
        except (requests.RequestException, HTTPError, OSError) as error:
            if _never_left(error):
                return GatewayUnreachable(type(error).__name__)
            return AnswerLost(type(error).__name__)


class _Unreadable(Exception):
    """Not a whole answer of Paid's."""


def _never_left(error: BaseException) -> bool:
    """Return whether a request surely was not sent: no connection, or none that is to be trusted."""
    return isinstance(error, requests.ConnectTimeout) or any(
        isinstance(cause, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it wraps, as `requests` and urllib3 nest them."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__]


def _refused(response: requests.Response) -> GatewayMisconfigured | AnswerLost:
    # Paid tells its own errors with status 200: any other comes from something in between, and
    # what became of the request is not known.
    code = f"http_{response.status_code}"
    if response.status_code in {401, 403}:
        return GatewayMisconfigured(code)
    return AnswerLost(code, _retry_after(response.headers.get("Retry-After", "")))


def _retry_after(text: str) -> timedelta | None:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        return None
    return min(timedelta(seconds=int(text)), _LONGEST_WAIT)


def _content(response: requests.Response, seconds: float) -> bytes:
    """Return the whole body. Raises _Unreadable where it is long, slow, cut or packed."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _Unreadable("packed")
    ends = time.monotonic() + seconds
    content = bytearray()
    while piece := response.raw.read1(65536):
        content += piece
        if len(content) > _LONGEST_ANSWER:
            raise _Unreadable("too_long")
        if time.monotonic() > ends:
            raise _Unreadable("too_slow")
    length = response.headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) != len(content):
        raise _Unreadable("cut")
    return bytes(content)


def _answer(content: bytes) -> Answer:
    try:
        told = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise _Unreadable("no_json") from None
    try:
        header = mapping(told, "header")
        status, body = text(header, "status"), mapping(told, "body")
    except WrongShape as error:
        raise _Unreadable(f"wrong_shape {error}") from None
    if status not in {"SUCCESS", "ERROR", "CLIENT_ERROR"}:
        raise _Unreadable("unknown_status")
    return Answer(status, body)


# --- strict types: each raises WrongShape with the name of the field -------------------------------


def mapping(container: object, name: str) -> Mapping[str, object]:
    """Return the object under `name`; an empty one where it is null or not there."""
    value = _under(container, name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongShape(name)
    return value


def sequence(container: object, name: str) -> Sequence[object]:
    """Return the list under `name`; an empty one where it is null or not there."""
    value = _under(container, name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WrongShape(name)
    return value


def text(container: object, name: str) -> str:
    """Return the string under `name`."""
    value = _under(container, name)
    if not isinstance(value, str):
        raise WrongShape(name)
    return value


def number(container: object, name: str) -> str:
    """Return the digits under `name`, which JSON may hold as a string or as a whole number."""
    value = _under(container, name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,20}", value):
        raise WrongShape(name)
    return value


def _under(container: object, name: str) -> object:
    if not isinstance(container, dict):
        raise WrongShape(name)
    return container.get(name)
