"""How a payment method is put into words. Rule: S1-03, look.md 3 and 4."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from payments.enums import MethodState
from payments.gateways import registry
from payments.gateways.base import Entry, Gateway
from payments.models import PaymentMethod, SupportRequest
from payments.services.methods import NEVER_ARRIVED

_ENDED = frozenset(
    {
        "unknown",
        "AGREEMENT_ALREADY_CANCELLED",
        "BILLING_AGREEMENT_NOT_FOUND",
        "TOKEN_ID_NOT_FOUND",
        "TOKEN_NOT_FOUND",
    }
)
_EXPIRED = frozenset({"TOKEN_EXPIRED", "CARD_EXPIRED"})
_LOCKED = frozenset({"PAYER_ACCOUNT_LOCKED_OR_CLOSED", "PAYER_ACCOUNT_RESTRICTED"})
_ASKED = frozenset({"PAYER_ACTION_REQUIRED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"})
_BADGES = {
    MethodState.REGISTERING: "accent",
    MethodState.UNDER_REVIEW: "accent",
    MethodState.ACTIVE: "good",
    MethodState.BROKEN: "bad",
}


@dataclass(frozen=True, slots=True)
class MethodShown:
    """A payment method as its root sees it: no reference of the provider's, no token. Rule: S1-03."""

    company: str
    way: str
    label: str
    state: str
    badge: str
    since: date
    next: str
    is_active: bool
    is_broken: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How an organisation's methods stand, as the tab Plan & Payment Method shows it.

    `why_broken`, `why_rejected`, `unanswered` (a company): empty if not so. `is_with_support`: that
    company has not answered for a day. `asked`: a request to Support, and when.
    """

    current: MethodShown | None
    waiting: MethodShown | None
    why_broken: str
    why_rejected: str
    unanswered: str
    is_with_support: bool
    asked: SupportRequest | None
    asked_on: date | None
    answered_on: date | None


@dataclass(frozen=True, slots=True)
class Way:
    """A way to pay that is offered, and what happens when it is chosen. Rule: S1-14."""

    slug: str
    label: str
    lines: tuple[str, ...]


def method(row: PaymentMethod, zone: ZoneInfo) -> MethodShown:
    """Return a method in words."""
    gateway = _gateway(row.gateway)
    state = MethodState(row.state)
    since = row.active_since if state is MethodState.ACTIVE and row.active_since else row.state_at
    company = gateway.name if gateway else row.gateway
    return MethodShown(
        company=company,
        way=_(gateway.label) if gateway else company,
        label=row.label if row.label != company else "",
        state=str(state.label),
        badge=_BADGES.get(state, ""),
        since=since.astimezone(zone).date(),
        next=_next(row, gateway, company),
        is_active=state is MethodState.ACTIVE,
        is_broken=state is MethodState.BROKEN,
    )


def why_broken(row: PaymentMethod) -> str:
    """Return in words why a method can be charged no more. Rule: F11."""
    company = {"company": company_of(row.gateway)}
    if row.code in _ENDED:
        return _("The agreement by which we charge you was ended at %(company)s.") % company
    if row.code in _EXPIRED:
        return _("The card or the agreement at %(company)s has expired.") % company
    if row.code in _LOCKED:
        return _("%(company)s has locked, restricted or closed the account.") % company
    if row.code in _ASKED:
        return _("%(company)s asks you to confirm again how you pay.") % company
    if row.code in {"blocked", "rejected"}:
        return _("%(company)s does not accept purchases by your company at present.") % company
    return _("%(company)s declines all further payments.") % company


def why_rejected(row: PaymentMethod) -> str:
    """Return in words why a registration came to nothing."""
    company = {"company": company_of(row.gateway)}
    if row.code == NEVER_ARRIVED:
        return _("%(company)s did not receive your registration. Send it again.") % company
    return (
        _(
            "%(company)s did not accept the registration after its review; it does not tell reasons."
            " You can choose another way to pay."
        )
        % company
    )


def ways(offered: Sequence[Gateway]) -> list[Way]:
    """Return the offered ways to pay, each with what happens."""
    return [Way(each.slug, _(each.label), (_first(each), _then(each))) for each in offered]


def company_of(slug: str) -> str:
    """Return the name of a payment company; its short name where the settings know it no more."""
    found = _gateway(slug)
    return found.name if found else slug


def _gateway(slug: str) -> Gateway | None:
    try:
        return registry.gateway(slug)
    except registry.NoSuchGateway:
        return None


def _next(row: PaymentMethod, gateway: Gateway | None, company: str) -> str:
    named, state = {"company": company}, MethodState(row.state)
    if state is MethodState.REGISTERING:
        return (
            _(
                "%(company)s has not answered yet. Nothing is lost: we ask what became of it, show it"
                " here and tell you by mail."
            )
            % named
        )
    if state is MethodState.UNDER_REVIEW and row.next_look_at is None:
        return (
            _(
                "%(company)s has not decided for a long time. Support is asking there; you can choose"
                " another way to pay meanwhile."
            )
            % named
        )
    if state is MethodState.UNDER_REVIEW:
        return (
            _(
                "%(company)s is reviewing your company; that usually takes one to three business days. We"
                " ask regularly, show the result here and tell you by mail."
            )
            % named
        )
    if state is MethodState.BROKEN:
        return _("Nothing is charged until you have registered again.")
    if gateway and gateway.collects_by_invoice:
        return (
            _(
                "Each invoice is passed on to %(company)s on the day it is issued."
                " %(company)s then bills you, to be paid by the end of the following month."
            )
            % named
        )
    return _("Each invoice is charged automatically on the day it is issued.")


def _first(gateway: Gateway) -> str:
    named = {"company": gateway.name}
    if gateway.entry is Entry.REDIRECT:
        return (
            _(
                "You are taken to %(company)s, sign in there and choose a card. Card numbers are"
                " entered there only; we never see them."
            )
            % named
        )
    return (
        _(
            "You enter your company's data here, and %(company)s reviews it; that usually takes one"
            " to three business days."
        )
        % named
    )


def _then(gateway: Gateway) -> str:
    named = {"company": gateway.name}
    if gateway.collects_by_invoice:
        return (
            _(
                "%(company)s then bills you once a month, to be paid by bank transfer or account debit"
                " by the end of the following month. For companies and sole traders in Japan."
            )
            % named
        )
    return _("Each invoice is then charged automatically on the day it is issued.")
