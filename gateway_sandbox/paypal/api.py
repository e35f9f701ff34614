"""PayPal's addresses: who may call them, and what a repeated request is."""

import base64
import binascii
import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from gateway_sandbox.answers import Answer, form_in, of_json
from gateway_sandbox.paypal import orders, payments, reporting, vault
from gateway_sandbox.paypal.call import Call, Result
from gateway_sandbox.paypal.errors import Refused, refusal
from gateway_sandbox.rows import Key, Request
from gateway_sandbox.world import World

ACCESS_TOKEN_LIFE = timedelta(seconds=32_400)
LONGEST_KEY = 108
_PREFIX = "A21AA"
# gateways.md 4.2: how long a PayPal-Request-Id is remembered.
KEY_LIVES = {
    "vault": timedelta(hours=3),
    "orders": timedelta(hours=6),
    "payments": timedelta(days=45),
}

Work = Callable[[World, Call], Result]
_ID = r"(?P<id>[^/]+)"
# Family of keys ("" for reads), method, path, what is done, how the made thing looks now.
_ROUTES: tuple[tuple[str, str, str, Work], ...] = (
    ("vault", "POST", "/v3/vault/setup-tokens", vault.make_setup_token),
    ("", "GET", f"/v3/vault/setup-tokens/{_ID}", vault.read_setup_token),
    ("vault", "POST", "/v3/vault/payment-tokens", vault.make_payment_token),
    ("", "GET", "/v3/vault/payment-tokens", vault.list_payment_tokens),
    ("", "GET", f"/v3/vault/payment-tokens/{_ID}", vault.read_payment_token),
    ("", "DELETE", f"/v3/vault/payment-tokens/{_ID}", vault.delete_payment_token),
    ("orders", "POST", "/v2/checkout/orders", orders.make),
    ("", "GET", f"/v2/checkout/orders/{_ID}", orders.read),
    ("orders", "POST", f"/v2/checkout/orders/{_ID}/capture", orders.capture),
    ("", "GET", f"/v2/payments/captures/{_ID}", payments.read_capture),
    ("payments", "POST", f"/v2/payments/captures/{_ID}/refund", payments.refund),
    ("", "GET", f"/v2/payments/refunds/{_ID}", payments.read_refund),
    ("", "GET", "/v1/reporting/transactions", reporting.transactions),
    ("", "POST", "/v1/notifications/verify-webhook-signature", reporting.verify_notice),
)
_SHOWN_AGAIN: dict[Work, Callable[[World, Call, str], Any]] = {
    vault.make_setup_token: vault.show_setup_token,
    vault.make_payment_token: vault.show_payment_token,
    orders.make: orders.show,
    orders.capture: orders.show,
    payments.refund: payments.show_refund,
}


class PayPal:
    """The API. One object serves many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._busy: set[str] = set()
        self._busy_lock = threading.Lock()
        self._routes = [(f, m, re.compile(path), work) for f, m, path, work in _ROUTES]

    def serves(self, path: str) -> bool:
        """Return whether the address is PayPal's."""
        return path.startswith(("/v1/", "/v2/", "/v3/"))

    @contextmanager
    def key_in_use(self, request: Request) -> Iterator[Answer | None]:
        """Hold the request's key until it is answered; gives the refusal if another one does."""
        key = request.headers.get("paypal-request-id", "")
        name = f"{request.method} {request.path} {key}"
        with self._busy_lock:
            taken = bool(key) and name in self._busy
            if key and not taken:
                self._busy.add(name)
        if taken:
            yield refusal(409, "PREVIOUS_REQUEST_IN_PROGRESS")
            return
        try:
            yield None
        finally:
            with self._busy_lock:
                self._busy.discard(name)

    def answer(self, request: Request, *, mock: str = "") -> Answer:
        """Do what is asked. `mock`: refuse with this issue, as PayPal-Mock-Response does."""
        try:
            if request.path == "/v1/oauth2/token":
                return self._access_token(request)
            self._check_access(request)
            return self._routed(request, mock or _mocked(request))
        except Refused as refused:
            return refused.answer()

    def _routed(self, request: Request, mock: str) -> Answer:
        known_path = False
        for family, method, pattern, work in self._routes:
            found = pattern.fullmatch(request.path)
            known_path = known_path or found is not None
            if found is None or method != request.method:
                continue
            call = Call(request, found.groupdict().get("id", ""), _body(request))
            if mock and not request.path.startswith(("/v1/", "/v3/")):
                raise Refused(mock)
            with self._world.ledger.change():
                result = self._once(family, work, call)
            return _sent(result)
        return refusal(405 if known_path else 404)

    def _once(self, family: str, work: Work, call: Call) -> Result:
        """Do the work, or show what the same key brought about before. Rule: gateways.md 4.2."""
        key = call.key
        if len(key) > LONGEST_KEY:
            raise Refused("INVALID_STRING_LENGTH", where="PayPal-Request-Id")
        if not family or not key:
            return work(self._world, call)
        ledger, now = self._world.ledger, self._world.now()
        name = f"{family} {work.__name__} {key}"
        known = ledger.find(Key, name)
        if known is not None and now - known.created_at < KEY_LIVES[family]:
            return Result(200, _SHOWN_AGAIN[work](self._world, call, known.made), known.made)
        result = work(self._world, call)
        if result.made:
            ledger.put(Key(name, result.made, now))
        return result

    # --- who calls ---

    def _access_token(self, request: Request) -> Answer:
        accounts = self._world.accounts
        expected = f"{accounts.client_id}:{accounts.secret}".encode()
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            decoded = base64.b64decode(given, validate=True)
        except binascii.Error:
            decoded = b""
        if kind.lower() != "basic" or not hmac.compare_digest(decoded, expected):
            return of_json(
                401,
                {
                    "error": "invalid_client",
                    "error_description": "Client Authentication failed",
                },
            )
        if form_in(request).get("grant_type") != "client_credentials":
            return of_json(
                400, {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"}
            )
        ends_at = self._world.now() + ACCESS_TOKEN_LIFE
        return of_json(
            200,
            {
                "scope": "https://uri.paypal.com/services/payments/payment",
                "access_token": self._token(str(int(ends_at.timestamp()))),
                "token_type": "Bearer",
                "app_id": "APP-80W284485P519543T",
                "expires_in": int(ACCESS_TOKEN_LIFE.total_seconds()),
                "nonce": secrets.token_urlsafe(24),
            },
        )

    def _check_access(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        ends_at = token.removeprefix(_PREFIX).partition("-")[0]
        if (
            kind.lower() != "bearer"
            or not hmac.compare_digest(token.encode(), self._token(ends_at).encode())
            or int(ends_at) <= self._world.now().timestamp()
        ):
            raise Refused("", status=401)

    def _token(self, ends_at: str) -> str:
        """Return the access token that lives until then; it outlives this process."""
        accounts = self._world.accounts
        key = f"{accounts.client_id}:{accounts.secret}".encode()
        return f"{_PREFIX}{ends_at}-{hmac.digest(key, ends_at.encode(), 'sha256').hex()}"


def _body(request: Request) -> Any:
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused("MALFORMED_REQUEST_JSON") from None
    return {} if body is None else body


def _mocked(request: Request) -> str:
    try:
        asked = json.loads(request.headers.get("paypal-mock-response", "{}"))
    except ValueError:
        return ""
    code = asked.get("mock_application_codes", "") if isinstance(asked, dict) else ""
    return code[0] if isinstance(code, list) and code else str(code or "")


def _sent(result: Result) -> Answer:
    answer = Answer(204) if result.status == 204 else of_json(result.status, result.body)
    return answer.with_headers({"PayPal-Debug-Id": secrets.token_hex(7)[:13]})
