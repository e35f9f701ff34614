"""Paid as a gateway: review, reserve, fix; after that the money is Paid's to collect."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_noop

from payments.gateways.base import (
    Absent,
    Account,
    AnswerLost,
    Approval,
    BadNotice,
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
    RefundFailed,
    RefundIntent,
    RefundOutcome,
    RequestRefused,
    Settled,
    Standing,
    Undecided,
    Waiting,
)
from payments.gateways.paid import codes, settlement
from payments.gateways.paid.account import PaidSettings
from payments.gateways.paid.client import (
    Answer,
    Client,
    WrongShape,
    mapping,
    number,
    sequence,
    text,
)
from payments.gateways.paid.form import PROFILE, faulty_fields
from payments.gateways.paid.items import TRANSLATIONS, Item, Meaning, codes_in, item_in
from payments.rules.profile import normalised

logger = logging.getLogger(__name__)

_KEY = re.compile(r"[A-Za-z0-9._-]{1,20}")
_LONGEST_CONTENTS = 50  # the limit of the other texts; that of this one is not known
OPERATIONS = {"register_member", "check_member", "check_credit", "register", "fix", "cancel"}
_ASKED = tuple(field.name for field in PROFILE)
_STANDING = {
    "reviewing": Standing.UNDER_REVIEW,
    "active": Standing.ACTIVE,
    "blocked": Standing.BLOCKED,
    "rejected": Standing.REJECTED,
}
_NOT_USABLE = frozenset({Standing.BLOCKED, Standing.REJECTED, Standing.UNKNOWN})


class Paid:
    """Paid (paid.jp). A charge is reserved by `start` and fixed by `capture`: from then on Paid owes it.

    There is no question after a transaction at Paid. Each one carries a key of ours that is derived
    from one stored intent and is never used again, and Paid refuses a second one of the same key:
    what was lost is repeated, and cannot bill twice. Rule: F63, R6.
    """

    slug = "paid"
    label = gettext_noop("Paid by Invoice (Paid)")
    name = "Paid"
    entry = Entry.FORM
    profile: tuple[ProfileField, ...] = PROFILE
    collects_by_invoice = True
    announces = True

    def __init__(self, account: PaidSettings | None = None) -> None:
        chosen = account or settings.PAID
        if chosen is None:
            raise ImproperlyConfigured("Paid needs PAID_AUTH_CODE.")
        _check_settings(chosen)
        self.account = Account(chosen.environment, chosen.merchant)
        self._settings = chosen
        self._client = Client(chosen)

    def serves(self, country: str, currency: str) -> bool:
        """Return whether it is Japan and yen. Rule: S1-05, S1-18."""
        return (country, currency) == ("JP", "JPY")

    # --- a payer registers ---

    def open_registration(
        self, *, key: str, customer: str, language: str, return_url: str, cancel_url: str
    ) -> Approval:
        """Paid has no pages to register on. Raises NotImplementedError: `entry` is FORM."""
        raise NotImplementedError("Paid registers by a form of ours.")

    def finish_registration(self, *, key: str, reference: str) -> Payer | None:
        """Paid has no pages to come back from. Raises NotImplementedError: `entry` is FORM."""
        raise NotImplementedError("Paid registers by a form of ours.")

    def register(self, *, key: str, profile: Mapping[str, str]) -> Payer:
        """Ask Paid to review a buyer under our `key`. Asked again, it is the same buyer. Rule: S1-17.

        Raises RequestRefused with the fields at fault: by our own limits (code "profile") before
        anything is sent, or by Paid's code; EMAIL_IS_TAKEN where the buyer is with Paid already and
        links up with this merchant there.
        """
        _check_key(key)
        data = normalised({name: profile.get(name, "") for name in _ASKED})
        faulty = faulty_fields(data)
        if faulty:
            raise RequestRefused("profile", faulty)

        member = {
            "b2bMemberId": key,
            **{name: given for name, given in data.items() if given},
            "closingDay": self._settings.closing_day,
            "paymentMethod": self._settings.payment_method,
        }
        answer = self._client.post("register_member", {"memberData": member})
        told = self._codes_of_registration(answer, key)
        payer = Payer(reference=key, label=data["companyName"])
        if answer.is_success:
            return payer
        if codes.gravest(told)[0] is not codes.Fault.DUPLICATE:
            raise self._refusal("register_member", told, answer)
        # A former call with our key came through; whether it did, Paid's review shows.
        if self.standing(key) is Standing.UNKNOWN:
            raise self._lost("register_member", codes.DUPLICATE)
        return payer

    def standing(self, payer: str) -> Standing:
        """Return how a buyer stands with Paid; UNKNOWN where Paid knows none of this name.

        A status that the settings do not translate is an answer lost: nobody is active by a guess.
        """
        answer = self._client.post("check_member", {"b2bMemberIds": [payer]})
        try:
            status = self._status_in(answer, payer)
            told = codes_in(answer)
        except WrongShape as error:
            raise self._lost("check_member", f"wrong_shape {error}") from None
        if status is None:
            if codes.gravest(told)[0] is codes.Fault.NO_SUCH_MEMBER:
                return Standing.UNKNOWN
            raise self._refusal("check_member", told, answer)
        meaning = self._settings.member_status.get(status, "")
        if meaning not in _STANDING:
            raise self._lost("check_member", f"member_status {status}")
        return _STANDING[meaning]

    def forget(self, payer: str) -> None:
        """Do nothing: Paid has no call that ends a membership, and bills nothing that we do not fix."""

    # --- money in ---

    def start(self, intent: Intent, *, return_url: str, cancel_url: str) -> Approval | Outcome:
        """Reserve the buyer's credit; a transaction of the same key is ours and has this amount.

        A refusal is told with whether the buyer is the reason. Rule: F63, F66.
        """
        item = self._item(
            "register",
            intent,
            contents=intent.description[:_LONGEST_CONTENTS],
            code=intent.number,
            price=str(intent.amount),
        )
        match item.meaning:
            case Meaning.OK | Meaning.DUPLICATE | Meaning.FIXED:
                return Waiting(reference=intent.key)
            case Meaning.DECLINED:
                return self._declined(item.word, intent)
            case Meaning.NOT_FOUND | Meaning.NO_MEMBER if self._is_unusable(intent.payer):
                return Declined(item.word, intent.key, is_method_broken=True)
        return Undecided(item.word, intent.key, item.retry_after)

    def capture(self, intent: Intent) -> Outcome:
        """Fix the transaction: Paid bills the buyer and owes us the amount.

        Paid gives no amount back: the amount settled is the one that was sent, with the day that
        the buyer is billed for. NOT_FOUND is no decline: a transaction that was fixed may be
        answered so too, and billing it elsewhere would bill twice. Rule: F64, F65, F66, F67.
        """
        item = self._item(
            "fix", intent, price=str(intent.amount), fixedAt=intent.on.strftime("%Y/%m/%d")
        )
        match item.meaning:
            case Meaning.OK | Meaning.FIXED:
                return Settled(
                    reference=intent.key,
                    capture=intent.key,
                    amount=intent.amount,
                    currency=intent.currency,
                    key=intent.key,
                    number=intent.number,
                    account=self.account,
                )
            case Meaning.DECLINED:
                return self._declined(item.word, intent)
            case Meaning.CANCELLED:
                return Declined(item.word, intent.key, is_cancelled=True)
        return Undecided(item.word, intent.key, item.retry_after)

    def look_up(self, intent: Intent) -> Outcome:
        """Return Absent: Paid can be asked after no transaction; the same call may be repeated.

        To register and to fix again under the same key bills once. Rule: F63, F67.
        """
        return Absent(may_repeat=True)

    def cancel(self, intent: Intent) -> None:
        """Let the reserved credit go; a transaction that Paid does not know is no error.

        One that is fixed cannot go any more: raises AnswerLost.
        """
        item = self._item("cancel", intent)
        if item.meaning in {Meaning.OK, Meaning.CANCELLED, Meaning.NOT_FOUND}:
            return
        if item.meaning is Meaning.UNDECIDED:
            raise AnswerLost(item.word, item.retry_after)
        raise self._lost("cancel", item.word)

    # --- money back ---

    def refund(self, intent: RefundIntent) -> RefundOutcome:
        """Return RefundFailed: what is fixed Paid takes back by no call; staff settle it with Paid."""
        return RefundFailed("by_hand", intent.capture)

    def look_up_refund(self, intent: RefundIntent) -> RefundOutcome:
        """Return RefundFailed, as `refund` does."""
        return RefundFailed("by_hand", intent.capture)

    # --- what the provider tells by itself ---

    def notice_in(self, body: bytes, headers: Mapping[str, str]) -> Notice:
        """Raise BadNotice: Paid sends none."""
        raise BadNotice("Paid sends no notices.")

    def records(self, since: datetime, until: datetime) -> Iterator[Record]:
        """Raise NotTold: Paid's records come by file."""
        raise NotTold("Paid's records come by file.")

    def records_in(self, file: bytes) -> Iterator[Record]:
        """Yield the records of a settlement file (CSV). Raises ValueError, before the first record."""
        return iter(settlement.records_in(file))

    # --- inside ---

    def _status_in(self, answer: Answer, payer: str) -> str | None:
        """Return the member's status code, None where it is not among the successes."""
        for each in sequence(mapping(answer.body, "results"), "successes"):
            if text(each, "b2bMemberId") == payer:
                return number(each, "memberStatusCode")
        return None

    def _item(self, operation: str, intent: Intent, **fields: str) -> Item:
        """Send one transaction; return what Paid says of it, UNDECIDED where nobody knows.

        Raises GatewayUnreachable, GatewayMisconfigured.
        """
        _check_key(intent.key)
        if intent.currency != "JPY" or intent.amount <= 0 or not intent.payer:
            raise ValueError("Paid takes positive amounts of yen from a registered buyer.")
        credit = {"b2bMemberId": intent.payer, "b2bCreditId": intent.key, **fields}
        try:
            answer = self._client.post(operation, {"credits": {"credit": [credit]}})
            item = item_in(answer, key=intent.key, words=self._settings.item_status)
        except AnswerLost as lost:
            return Item(Meaning.UNDECIDED, lost.code, lost.retry_after)
        except WrongShape as error:
            return Item(Meaning.UNDECIDED, self._lost(operation, f"wrong_shape {error}").code)
        word = self._client.safe(item.word)
        if item.meaning is Meaning.MISCONFIGURED:
            raise GatewayMisconfigured(word)
        if item.meaning is Meaning.OURS:
            logger.error("Paid cannot read us", extra={"operation": operation, "code": word})
        return Item(item.meaning, word)

    def _declined(self, code: str, intent: Intent) -> Declined:
        return Declined(code, intent.key, is_method_broken=self._is_unusable(intent.payer))

    def _is_unusable(self, payer: str) -> bool:
        """Return whether Paid says that the buyer cannot buy; not where Paid does not say."""
        try:
            return self.standing(payer) in _NOT_USABLE
        except (AnswerLost, GatewayUnreachable):
            return False

    def _codes_of_registration(self, answer: Answer, key: str) -> list[str]:
        """Return the codes of a refusal; none of a SUCCESS, which has to be about our key."""
        try:
            if not answer.is_success:
                return codes_in(answer)
            named = text(mapping(answer.body, "result"), "b2bMemberId")
        except WrongShape as error:
            raise self._lost("register_member", f"wrong_shape {error}") from None
        if named != key:
            raise self._lost("register_member", "wrong_shape b2bMemberId")
        return []

    def _refusal(self, operation: str, told: Sequence[str], answer: Answer) -> Exception:
        """Return what Paid's codes mean, to be raised."""
        fault, code = codes.gravest(told)
        code = self._client.safe(code or answer.status)
        fields = tuple(name for name in codes.fields_of(told) if name in _ASKED)
        if fault is codes.Fault.MISCONFIGURED:
            return GatewayMisconfigured(code)
        if fault is codes.Fault.FORM and codes.EMAIL_IS_TAKEN in told:
            return RequestRefused(codes.EMAIL_IS_TAKEN, fields)
        if fault is codes.Fault.FORM and fields:
            return RequestRefused(code, fields)
        if fault is codes.Fault.THEIRS:
            return AnswerLost(code)
        return self._lost(operation, code)

    def _lost(self, operation: str, code: str) -> AnswerLost:
        """Return an answer that says nothing, because one of both sides is at fault; it is logged."""
        safe = self._client.safe(code)
        logger.error("Paid is not understood", extra={"operation": operation, "code": safe})
        return AnswerLost(safe)


def _check_settings(account: PaidSettings) -> None:
    """Raise ImproperlyConfigured where a call about money would stumble over the settings."""
    for name, allowed, given in (
        ("PAID_MEMBER_STATUS", set(_STANDING), set(account.member_status.values())),
        ("PAID_ITEM_STATUS", set(TRANSLATIONS), set(account.item_status.values())),
        ("PAID_PATHS", OPERATIONS, set(account.paths)),
        ("PAID_CLOSING_DAY", {"20", "31"}, {account.closing_day}),
        ("PAID_PAYMENT_METHOD", {"1", "2"}, {account.payment_method}),
    ):
        if not given <= allowed:
            raise ImproperlyConfigured(f"{name} knows {', '.join(sorted(allowed))}.")


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError("A key for Paid has 1 to 20 of A-Z, a-z, 0-9, full stop, _ and -.")
