"""Why an order is refused, in words, and what to do about it. Rule: S1-24, S1-25, B-14, look.md 1.4."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Organisation
from core.templatetags.writing import day
from ordering.rules.acts import START_WITHIN_MONTHS, NotOnSale
from ordering.rules.guards import Closed, NoMethod, Overdue, TooManyAccounts
from payments.views.shown import company_of
from plans.rules.timeline import (
    ContractUnderWay,
    NoContract,
    NotATerm,
    NotFromHere,
    NothingChanges,
    NothingToWithdraw,
    Refusal,
    RenewedBefore,
    ReturnsToFree,
    StartsInThePast,
    StartsTooLate,
)


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal in words; `url` and `label` of the page that helps, empty where none does."""

    text: str
    url: str = ""
    label: str = ""


def told(refusal: Refusal, organisation: Organisation, zone: ZoneInfo) -> Told:
    """Return a refusal in the reader's language. Every kind of refusal has its words here."""
    match refusal:
        case NoMethod():
            return _no_method(refusal, organisation)
        case Overdue():
            return Told(
                _(
                    "An invoice is overdue. Until it is paid, nothing that costs more can be ordered."
                ),
                _page("invoices", organisation),
                _("See what is overdue"),
            )
        case NoContract():
            return Told(
                _("You have no main contract yet: start a paid plan first."),
                _page("order_start", organisation),
                _("Start a paid plan"),
            )
        case ContractUnderWay():
            return Told(
                _(
                    "You have a main contract already. Until it ends, you can renew it and add licences."
                ),
                _page("contract", organisation),
                _("Contract details"),
            )
        case RenewedBefore():
            return Told(
                _("The next term is ordered already."),
                _page("contract", organisation),
                _("Contract details"),
            )
        case NotFromHere():
            return Told(
                _(
                    "A paid licence plan begins with a main contract, and the free plan follows at"
                    " the end of one."
                ),
                _page("order", organisation),
                _("Paid Plan Order"),
            )
        case TooManyAccounts():
            return Told(
                _accounts(refusal, zone),
                _page("plan_accounts", organisation),
                _("See the accounts in use"),
            )
        case _:
            return Told(_plain(refusal))


def _plain(refusal: Refusal) -> str:
    match refusal:
        case Closed():
            return _("Your organisation is closed, so nothing can be ordered.")
        case NothingChanges():
            return _("It is so already; nothing was changed.")
        case StartsInThePast():
            return _("This day is over. Choose today or a later day.")
        case StartsTooLate():
            return _("Choose a day within the next %(months)s months.") % {
                "months": START_WITHIN_MONTHS
            }
        case NotATerm():
            return _("A term has 1 or 12 months, and at least one step.")
        case NothingToWithdraw():
            return _("No renewal is ordered that could be withdrawn.")
        case ReturnsToFree():
            return _(
                "There is no free plan in your currency for the time after the contract. Support can"
                " help you."
            )
        case NotOnSale():
            return _("This plan is not on sale in your currency today. Choose another one.")
        case _:
            raise refusal


def _no_method(refusal: NoMethod, organisation: Organisation) -> Told:
    if refusal.reviewing:
        text = _(
            "%(company)s still reviews your registration. As soon as your payment method is active,"
            " you can order this."
        ) % {"company": company_of(refusal.reviewing)}
        return Told(text, _page("plan", organisation), _("Plan & Payment Method"))
    return Told(
        _("You have no active payment method: add one first."),
        _page("payment_method_add", organisation),
        _("Add payment method"),
    )


def _accounts(refusal: TooManyAccounts, zone: ZoneInfo) -> str:
    return _(
        "%(in_use)s accounts are in use, and from %(day)s on %(allowed)s would be allowed. Give up"
        " some first, or choose a plan or a number of steps with more."
    ) % {
        "in_use": refusal.in_use,
        "allowed": refusal.allowed,
        "day": day(refusal.from_at.astimezone(zone).date()),
    }


def _page(name: str, organisation: Organisation) -> str:
    return reverse(name, kwargs={"organisation": organisation.public_id})
