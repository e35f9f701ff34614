"""PayPal's HTTP API: a small subclass of the SDK's, that ends, tells and keeps secrets.

See docs/decisions/paypal-through-a-small-subclass.md. What goes wrong leaves here as one of the
facts of `payments.gateways.base`, or as Refusal. Rule: gateways.md 4.7.
"""

import email.utils
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import paypalrestsdk
import requests
import urllib3.exceptions
from paypalrestsdk import exceptions as sdk

from core import clock
from payments.gateways.base import AnswerLost, GatewayMisconfigured, GatewayUnreachable
from payments.gateways.paypal.account import Account
from payments.gateways.paypal.answers import Answer, at, items, text

log = logging.getLogger(__name__)
# The SDK writes headers and bodies at DEBUG.
logging.getLogger("paypalrestsdk").setLevel(logging.WARNING)

CONNECT_SECONDS, READ_SECONDS = 3.0, 20.0
LONGEST_SECONDS = 25.0
LARGEST_BODY = 8 * 1024 * 1024
# A token that ends within this is not used any more: it might end on the way.
TOKEN_MARGIN = 60.0
LONGEST_RETRY_AFTER = timedelta(days=1)


class Refusal(Exception):
    """PayPal refuses a request and says why: `issues`, the most telling first. Nothing has changed."""

    def __init__(self, status: int, issues: tuple[str, ...], debug_id: str) -> None:
        super().__init__(f"{status} {' '.join(issues)} ({debug_id})")
        self.status = status
        self.issues = issues
        self.debug_id = debug_id

    @property
    def code(self) -> str:
        return self.issues[0] if self.issues else f"HTTP_{self.status}"


class PayPalApi(paypalrestsdk.Api):  # type: ignore[misc]  # the SDK has no types
    """One account's API. `get`, `post` and `delete` return an Answer.

    They raise Refusal, AnswerLost, GatewayMisconfigured, and GatewayUnreachable where surely
    nothing was sent. One object serves many threads.
    """

    def __init__(
        self,
        account: Account,
        *,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        longest: float = LONGEST_SECONDS,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        # Its other mode writes secrets into the log, and its own hosts are those of old.
        super().__init__(
            mode="live",
            endpoint=account.endpoint,
            token_endpoint=account.endpoint,
            client_id=account.client_id,
            client_secret=account.secret,
        )
        self._timeout = timeout
        self._longest = longest
        self._now = now
        self._token_lock = threading.Lock()
        self.token_hash: dict[str, str] | None = None
        self._token_until = 0.0

    def get_token_hash(
        self,
        authorization_code: str | None = None,
        refresh_token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the account's token, a new one where it ends soon.

        The call's own headers stay out of it: a request id belongs to one request. However it
        fails, the request that needs the token has not been sent.
        """
        if not self._token_lock.acquire(timeout=self._longest):
            raise GatewayUnreachable("no access token: others wait for one")
        try:
            if self.token_hash is None or time.monotonic() >= self._token_until:
                self.token_hash = self._new_token()
            return self.token_hash
        finally:
            self._token_lock.release()

    def request(
        self,
        url: str,
        method: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        refresh_token: str | None = None,
    ) -> Answer:
        """Make a request, once more with a new token where the first one had ended."""
        for _ in range(2):
            sent = {**self.headers(), **(headers or {})}
            try:
                answer: Answer = self.http_call(
                    url, method, data=None if body is None else json.dumps(body), headers=sent
                )
            except sdk.UnauthorizedAccess:
                self._drop_token(sent["Authorization"])
            else:
                return answer
        raise GatewayMisconfigured("PayPal refuses our access token")

    def http_call(
        self, url: str, method: str, *, data: str | None, headers: Mapping[str, str]
    ) -> Answer:
        """Make one HTTP request that ends: no redirect is followed, no size or length is endless."""
        ends = time.monotonic() + self._longest
        try:
            with (
                requests.Session() as session,
                session.request(
                    method,
                    url,
                    data=data,
                    headers=headers,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                    verify=True,
                    auth=_as_it_is,
                ) as response,
            ):
                content = _body(response, ends)
        except requests.RequestException as fault:
            raise _fact_of(fault) from None
        except urllib3.exceptions.ReadTimeoutError:
            raise AnswerLost("timeout") from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise AnswerLost("cut_answer") from None
        answer: Answer = self.handle_response(response, content)
        return answer

    def handle_response(self, response: requests.Response, content: bytes) -> Answer:
        """Return what a response says. Raises the SDK's UnauthorizedAccess on 401, else our facts."""
        status = response.status_code
        body = _json(content)
        debug_id = response.headers.get("PayPal-Debug-Id", "")
        if 200 <= status <= 299:
            if body is None and status != 204:
                raise AnswerLost("unreadable_answer")
            return Answer(status, body or {}, debug_id)

        issues = _issues(body)
        log.warning(
            "PayPal answers %s",
            status,
            extra={"issues": " ".join(issues), "debug_id": debug_id},
        )
        if status == 401:
            raise sdk.UnauthorizedAccess(None)
        if body is None or status in {409, 429} or not 400 <= status <= 499:
            code = issues[0] if issues else f"HTTP_{status}"
            raise AnswerLost(code, _retry_after(response, self._now()))
        raise Refusal(status, issues, debug_id)

    def _new_token(self) -> dict[str, str]:
        try:
            answer = self.http_call(
                f"{self.token_endpoint}/v1/oauth2/token",
                "POST",
                data="grant_type=client_credentials",
                headers={
                    "Authorization": f"Basic {self.basic_auth()}",
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    "User-Agent": self.user_agent,
                },
            )
        except AnswerLost as lost:
            raise GatewayUnreachable(f"no access token: {lost.code}") from None
        except (Refusal, sdk.UnauthorizedAccess):
            raise GatewayMisconfigured("PayPal refuses our client id or secret") from None
        token = text(answer.body, "access_token")
        if not token:
            raise GatewayUnreachable("no access token: unreadable_answer")
        seconds = at(answer.body, "expires_in")
        known = seconds if isinstance(seconds, int) else 0
        self._token_until = time.monotonic() + known - TOKEN_MARGIN
        return {"token_type": "Bearer", "access_token": token}

    def _drop_token(self, authorization: str) -> None:
        """Forget a refused token, unless another thread has fetched a new one meanwhile."""
        with self._token_lock:
            if self.token_hash and authorization.endswith(self.token_hash["access_token"]):
                self.token_hash = None


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the Authorization header alone: a .netrc file would replace it."""
    return request


def _body(response: requests.Response, ends: float) -> bytes:
    """Return a response's body; one that trickles or never stops is cut off. Raises HTTPError."""
    content = bytearray()
    while part := response.raw.read1(65_536, decode_content=True):
        content += part
        if len(content) > LARGEST_BODY or time.monotonic() > ends:
            raise AnswerLost("endless_answer")
    return bytes(content)


def _fact_of(fault: requests.RequestException) -> Exception:
    """Return what a failed request tells us: unreachable only if surely nothing was sent. Rule: F04."""
    if isinstance(fault, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return GatewayMisconfigured("PayPal's address is no address")
    reason = getattr(fault.args[0], "reason", None) if fault.args else None
    # A proxy's fault is raised only where no connection through it was made.
    never_left = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.ProxyError,
    )
    if isinstance(fault, requests.ConnectTimeout) or isinstance(reason, never_left):
        return GatewayUnreachable(type(reason or fault).__name__)
    if isinstance(reason, urllib3.exceptions.SSLError) and any(
        isinstance(each, ssl.SSLCertVerificationError) for each in reason.args
    ):
        return GatewayUnreachable("certificate refused")
    return AnswerLost("timeout" if isinstance(fault, requests.Timeout) else "no_answer")


def _json(content: bytes) -> dict[str, object] | None:
    """Return the JSON object that a body is, or None if it is none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _issues(body: Mapping[str, object] | None) -> tuple[str, ...]:
    """Return an error's codes: those of its details, then its name; OAuth has a shape of its own."""
    told = [text(detail, "issue") for detail in items(body, "details")]
    told += [text(body, "name"), text(body, "error")]
    return tuple(each[:64] for each in told if each)


def _retry_after(response: requests.Response, now: datetime) -> timedelta | None:
    """Return how long PayPal wants to be left alone, if it says so in either of HTTP's two ways."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isascii() and told.isdigit() and len(told) < 10:
        return min(timedelta(seconds=int(told)), LONGEST_RETRY_AFTER)
    try:
        until = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return max(timedelta(0), min(until - now, LONGEST_RETRY_AFTER))
