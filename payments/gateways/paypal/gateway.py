"""PayPal: a wallet that the payer registers once (Vault v3), charged by Orders v2. Rule: gateways.md 4.

Card numbers are typed on PayPal's pages alone. Keys live there: 3 hours in the vault, 6 hours for
orders, 45 days for refunds; within that life the same request is carried out once, after it nothing
here is ever repeated.
"""

import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_noop

from core import clock
from payments.gateways import base
from payments.gateways.base import (
    Absent,
    AnswerLost,
    Approval,
    Declined,
    Entry,
    GatewayMisconfigured,
    GatewayUnreachable,
    Intent,
    Notice,
    NotTold,
    Outcome,
    Payer,
    ProfileField,
    Record,
    RefundIntent,
    RefundOutcome,
    RequestRefused,
    Standing,
    Undecided,
    Waiting,
)
from payments.gateways.paypal import books, codes, orders, wallets
from payments.gateways.paypal.account import Account
from payments.gateways.paypal.answers import Answer, Unreadable, link, text
from payments.gateways.paypal.api import PayPalApi, Refusal
from payments.gateways.paypal.notices import Notices

# Less than the keys live: our clock and PayPal's need not agree.
ORDER_KEY_LIFE = timedelta(hours=5)
REFUND_KEY_LIFE = timedelta(days=44)
# How far around a call its capture is looked for in PayPal's books.
SEARCH_BEFORE, SEARCH_AFTER = timedelta(hours=1), timedelta(days=14)
# A number that was paid before was paid by an earlier attempt: how long ago at most.
LONGEST_COLLECTED = timedelta(days=93)
_WHOLE_ANSWER = {"Prefer": "return=representation"}


class PayPal:
    """One account with PayPal, as `payments.gateways.base.Gateway`."""

    slug = "paypal"
    label = gettext_noop("Pay by Credit Card (PayPal)")
    name = "PayPal"
    entry = Entry.REDIRECT
    profile: tuple[ProfileField, ...] = ()
    collects_by_invoice = False
    announces = False

    def __init__(
        self,
        account: Account | None = None,
        *,
        api: PayPalApi | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """`account`: the settings' PAYPAL if left out. `now`: how old a request's key is."""
        self._account = account or _account_of_settings()
        self._api = api or PayPalApi(self._account, now=now)
        self._notices = Notices(self._account, now=now)
        self._now = now
        self.account = base.Account(self._account.environment, self._account.merchant)

    def serves(self, country: str, currency: str) -> bool:
        """Return whether PayPal takes this currency; it serves payers of any country."""
        return currency in codes.CURRENCIES

    # --- a payer registers ---

    def open_registration(
        self, *, key: str, customer: str, language: str, return_url: str, cancel_url: str
    ) -> Approval:
        """Ask for PayPal's pages on which a payer lets us charge a wallet. Raises RequestRefused."""
        visit = wallets.to_approve(
            customer=customer, language=language, return_url=return_url, cancel_url=cancel_url
        )
        return self._approval(self._vault("/v3/vault/setup-tokens", visit, f"{key}-setup"))

    def finish_registration(self, *, key: str, reference: str) -> Payer | None:
        """Keep the wallet that the payer approved; None if nobody has. Raises RequestRefused."""
        try:
            visit = self._api.get(f"/v3/vault/setup-tokens/{_segment(reference)}").body
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise _refused(refusal) from None
        if not wallets.is_approved(visit):
            return None
        wallet = wallets.to_keep(reference)
        return wallets.payer_in(
            self._vault("/v3/vault/payment-tokens", wallet, f"{key}-token").body
        )

    def register(self, *, key: str, profile: Mapping[str, str]) -> Payer:
        """Refuse: a payer registers on PayPal's own pages. Raises RequestRefused."""
        raise RequestRefused("registers_by_redirect")

    def standing(self, payer: str) -> Standing:
        """Return ACTIVE, or UNKNOWN once the wallet was taken away, here or at PayPal. Rule: F11."""
        try:
            self._api.get(f"/v3/vault/payment-tokens/{_segment(payer)}")
        except Refusal as refusal:
            if refusal.status == 404 or not codes.UNUSABLE.isdisjoint(refusal.issues):
                return Standing.UNKNOWN
            raise GatewayMisconfigured(str(refusal)) from None
        return Standing.ACTIVE

    def forget(self, payer: str) -> None:
        """Have PayPal let us charge a wallet no more; one that is gone is no error."""
        try:
            self._api.delete(f"/v3/vault/payment-tokens/{_segment(payer)}")
        except Refusal as refusal:
            if refusal.status != 404 and codes.UNUSABLE.isdisjoint(refusal.issues):
                raise GatewayMisconfigured(str(refusal)) from None

    # --- money in ---

    def start(self, intent: Intent, *, return_url: str, cancel_url: str) -> Approval | Outcome:
        """Make an order to be approved at PayPal; a registered payer needs none, and nobody is called."""
        if intent.payer:
            return Waiting("")
        order = orders.order_to_approve(intent, return_url=return_url, cancel_url=cancel_url)
        answer = self._pay("/v2/checkout/orders", order, intent.key, intent)
        if not isinstance(answer, Answer):
            return answer
        outcome = self._outcome(answer.body)
        if outcome == Waiting(text(answer.body, "id"), is_approved=False):
            try:
                return self._approval(answer)
            except AnswerLost as lost:
                return Undecided(lost.code, text(answer.body, "id"))
        return outcome

    def capture(self, intent: Intent) -> Outcome:
        """Take the money: of an order that was announced, else by an order that takes it at once."""
        if intent.reference:
            told = self._capture_order(intent, intent.reference)
            return _without_payer(told) if intent.payer else told
        if not intent.payer:
            raise ValueError("neither a registered payer nor an order to capture")
        answer = self._pay("/v2/checkout/orders", orders.order_of_payer(intent), intent.key, intent)
        if not isinstance(answer, Answer):
            return answer
        outcome = self._outcome(answer.body)
        if isinstance(outcome, Waiting) and outcome.is_approved:
            outcome = self._capture_order(intent, outcome.reference)
        return _without_payer(outcome)

    def look_up(self, intent: Intent) -> Outcome:
        """Ask for the order; without its name, look into PayPal's books once the key may be dead.

        While the key surely lives nobody need be asked: the same call gives the answer that was
        lost. Afterwards what is not found is a person's to decide. Rule: F01, F05.
        """
        try:
            if intent.reference:
                found = self._order(intent.reference)
                if found is not None:
                    return found
            if self._lives(intent.sent_at, ORDER_KEY_LIFE):
                return Absent(may_repeat=True)
            sent_at = intent.sent_at or self._now()
            found = self._in_books(intent, sent_at - SEARCH_BEFORE, sent_at + SEARCH_AFTER)
            return found or Undecided("not_found_after_key_life", intent.reference)
        except AnswerLost as lost:
            return Undecided(lost.code, intent.reference, lost.retry_after, was_told=False)

    def cancel(self, intent: Intent) -> None:
        """Leave an order that nobody captured: PayPal takes none back, and lets it lapse by itself."""

    # --- money back ---

    def refund(self, intent: RefundIntent) -> RefundOutcome:
        """Give a capture, or a part of it, back."""
        try:
            answer = self._api.post(
                f"/v2/payments/captures/{_segment(intent.capture)}/refund",
                orders.refund(intent),
                {"PayPal-Request-Id": intent.key, **_WHOLE_ANSWER},
            )
            return self._refund_outcome(answer.body, intent.capture)
        except AnswerLost as lost:
            return Undecided(lost.code, intent.reference, lost.retry_after, was_told=False)
        except Refusal as refusal:
            fact = refusal
        if codes.REFUNDED_BEFORE.isdisjoint(fact.issues):
            return orders.refusal_of_refund(fact, intent.reference)
        try:
            found = self._found_refund(intent)
        except (AnswerLost, Refusal):
            return Undecided(fact.code, intent.reference)
        return found or orders.refusal_of_refund(fact, intent.reference)

    def look_up_refund(self, intent: RefundIntent) -> RefundOutcome:
        """Ask for the refund; without its name, among those of its order once the key may be dead."""
        if not intent.reference and self._lives(intent.sent_at, REFUND_KEY_LIFE):
            return Absent(may_repeat=True)
        try:
            if intent.reference:
                told = self._api.get(f"/v2/payments/refunds/{_segment(intent.reference)}").body
                return self._refund_outcome(told, intent.capture)
            found = self._found_refund(intent)
        except AnswerLost as lost:
            return Undecided(lost.code, intent.reference, lost.retry_after, was_told=False)
        except Refusal as refusal:
            if codes.is_vendor_side(refusal.status, refusal.issues):
                raise GatewayMisconfigured(str(refusal)) from None
            return Undecided(refusal.code, intent.reference)
        return found or Undecided("not_found_after_key_life")

    # --- what PayPal tells by itself ---

    def notice_in(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Check a notice on its raw bytes. Raises BadNotice, NoticeUnverified. Rule: R8, F16, F17."""
        return self._notices.notice_in(body, headers)

    def records(self, since: datetime, until: datetime) -> Iterator[Record]:
        """Yield PayPal's own books, [since, until); the last three hours may not be in them yet."""
        try:
            yield from books.records(self._api, since, until)
        except Refusal as refusal:
            raise GatewayMisconfigured(str(refusal)) from None

    def records_in(self, file: bytes) -> Iterator[Record]:
        """Refuse: PayPal's books are asked for. Raises NotTold."""
        raise NotTold

    def _vault(self, path: str, body: object, request_id: str) -> Answer:
        try:
            answer: Answer = self._api.post(path, body, {"PayPal-Request-Id": request_id})
        except Refusal as refusal:
            raise _refused(refusal) from None
        return answer

    def _approval(self, answer: Answer) -> Approval:
        """Return where the payer goes: PayPal's pages and no others. Raises GatewayMisconfigured."""
        reference = text(answer.body, "id")
        url = link(answer.body, "payer-action", "approve")
        if not reference or not url:
            raise AnswerLost("unreadable_answer")
        parts = urllib.parse.urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" not in self._account.approval_origins:
            raise GatewayMisconfigured(f"PayPal sends payers to {parts.hostname}")
        return Approval(reference, url)

    def _pay(self, path: str, body: object, request_id: str, intent: Intent) -> Answer | Outcome:
        """Make a request that may take money; what is no answer comes back as an outcome."""
        headers = {"PayPal-Request-Id": request_id, **_WHOLE_ANSWER}
        try:
            answer: Answer = self._api.post(path, body, headers)
        except AnswerLost as lost:
            return Undecided(lost.code, intent.reference, lost.retry_after, was_told=False)
        except Refusal as refusal:
            fact = refusal
        else:
            return answer
        if not codes.DONE_BEFORE.isdisjoint(fact.issues):
            return self._done_before(intent, fact)
        return orders.refusal_of_payment(fact, intent.reference)

    def _capture_order(self, intent: Intent, reference: str) -> Outcome:
        answer = self._pay(
            f"/v2/checkout/orders/{_segment(reference)}/capture",
            {},
            f"{intent.key}-capture",
            intent,
        )
        if isinstance(answer, Answer):
            return self._outcome(answer.body)
        return answer

    def _done_before(self, intent: Intent, refusal: Refusal) -> Outcome:
        """Return what was paid before, or that nobody knows; never a decline. Rule: F06."""
        try:
            found = self._order(intent.reference) if intent.reference else None
            if found is None:
                found = self._in_books(intent, self._now() - LONGEST_COLLECTED, self._now())
        except (AnswerLost, GatewayMisconfigured, GatewayUnreachable):
            found = None
        return found or Undecided(refusal.code, intent.reference)

    def _order(self, reference: str) -> Outcome | None:
        """Return how an order stands; None if PayPal knows it no more. Raises AnswerLost."""
        try:
            told = self._api.get(f"/v2/checkout/orders/{_segment(reference)}").body
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise GatewayMisconfigured(str(refusal)) from None
        return self._outcome(told)

    def _in_books(self, intent: Intent, since: datetime, until: datetime) -> Outcome | None:
        """Return the capture that PayPal's books hold for an intent. Raises AnswerLost."""
        try:
            found = books.capture_of(
                self._api,
                key=intent.key,
                number=intent.number,
                since=since,
                until=min(until, self._now()),
            )
            return self._captured(found.reference) if found else None
        except Refusal as refusal:
            # The account may not read its books, say: that is no reason to charge nobody any more.
            raise AnswerLost(refusal.code) from None

    def _captured(self, capture: str) -> Outcome:
        """Return how a capture stands. Raises AnswerLost, Refusal."""
        told = self._api.get(f"/v2/payments/captures/{_segment(capture)}").body
        reference = orders.order_behind(told)
        if reference and not text(told, "payee", "merchant_id"):
            return self._order(reference) or Undecided("RESOURCE_NOT_FOUND", reference)
        try:
            return orders.outcome_of_capture(
                told, unit=None, reference=reference, account=self._account
            )
        except Unreadable:
            raise AnswerLost("unreadable_answer") from None

    def _outcome(self, told: object) -> Outcome:
        try:
            return orders.outcome_of_order(told, self._account)
        except Unreadable:
            return Undecided("unreadable_answer", text(told, "id"))

    def _refund_outcome(self, told: object, capture: str) -> RefundOutcome:
        try:
            return orders.outcome_of_refund(told, capture)
        except Unreadable:
            return Undecided("unreadable_answer", text(told, "id"))

    def _found_refund(self, intent: RefundIntent) -> RefundOutcome | None:
        """Return the refund that carries our key, of the capture's order. Raises AnswerLost, Refusal."""
        capture = self._api.get(f"/v2/payments/captures/{_segment(intent.capture)}").body
        reference = orders.order_behind(capture)
        if not reference:
            return None
        order = self._api.get(f"/v2/checkout/orders/{_segment(reference)}").body
        for each in orders.refunds_in(order):
            if text(each, "custom_id") == intent.key:
                return self._refund_outcome(each, intent.capture)
        return None

    def _lives(self, sent_at: datetime | None, life: timedelta) -> bool:
        """Return whether a key is surely known to PayPal still; one that was never sent is no danger."""
        return sent_at is None or self._now() - sent_at < life


def _account_of_settings() -> Account:
    account: Account | None = settings.PAYPAL
    if account is None:
        raise ImproperlyConfigured("PAYPAL_CLIENT_ID is not set.")
    return account


def _refused(refusal: Refusal) -> Exception:
    if codes.is_vendor_side(refusal.status, refusal.issues):
        return GatewayMisconfigured(str(refusal))
    return RequestRefused(refusal.code, reference=refusal.debug_id)


def _without_payer(outcome: Outcome) -> Outcome:
    """Return a charge's outcome where nobody is there to approve it: that PayPal wants the payer is no."""
    if isinstance(outcome, Waiting) and not outcome.is_approved:
        return Declined("PAYER_ACTION_REQUIRED", outcome.reference, is_method_broken=True)
    return outcome


def _segment(reference: str) -> str:
    """Return a reference as one piece of a path, whatever it holds."""
    return urllib.parse.quote(reference, safe="")
