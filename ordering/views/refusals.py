"""Why an order is refused, in words, and what to do about it. Rule: S1-24, S1-25, B-14, look.md 1.4."""

from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Organisation
from core.months import last_day
from core.templatetags.writing import day
from ordering.rules.acts import START_WITHIN_MONTHS, NotOnSale
from ordering.rules.guards import (
    Cancelled,
    Closed,
    NoMethod,
    Overdue,
    SpotDependsOnRenewal,
    TooManyAccounts,
)
from ordering.rules.spots import NotAgreed, OtherTerms, SeveralTaxes
from payments.views.shown import company_of
from plans import queries as plans
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
from spot_orders.rules.cover import NotASpan
from spot_orders.rules.spot import (
    BeforePaidPlan,
    BeyondContract,
    NoLimit,
    NoPaidPlan,
    NotInSteps,
    NotWholeMonths,
    SpotStartsInThePast,
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
        case Closed():
            return Told(
                _("Your contract has ended, so nothing can be ordered. You can come back first."),
                f"{_page('contract', organisation)}#cancellation",
                _("Contract details"),
            )
        case Cancelled():
            return Told(
                _(
                    "Your contract is cancelled and ends on %(day)s. Withdraw the cancellation first."
                )
                % {"day": day(refusal.last_on)},
                _page("contract", organisation),
                _("Contract details"),
            )
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
                _page("accounts", organisation),
                _("See the accounts in use"),
            )
        case _:
            return _of_spot(refusal, organisation)


def _plain(refusal: Refusal) -> str:
    match refusal:
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


def _of_spot(refusal: Refusal, organisation: Organisation) -> Told:
    """Return why a spot order is refused; any other refusal in a sentence."""
    match refusal:
        case NoPaidPlan():
            return Told(
                _("Accounts are added to a paid plan, and you have none. Start a paid plan first."),
                _page("order_start", organisation),
                _("Start a paid plan"),
            )
        case BeforePaidPlan():
            return _before(refusal, organisation)
        case BeyondContract():
            return _beyond(refusal, organisation)
        case SpotDependsOnRenewal():
            return _depends(refusal, organisation)
        case _:
            return Told(_of_settings(refusal))


def _depends(refusal: SpotDependsOnRenewal, organisation: Organisation) -> Told:
    facts = {"number": refusal.number, "day": day(last_day(refusal.end_on))}
    if refusal.is_paid:
        return Told(
            _(
                "Spot contract %(number)s runs until %(day)s and needs this renewal, so the renewal"
                " cannot be withdrawn. Support can help you."
            )
            % facts
        )
    return Told(
        _(
            "Spot order %(number)s awaits its payment and would run until %(day)s, which needs this"
            " renewal. Give up that order first."
        )
        % facts,
        _page("order_spot", organisation),
        _("Add Spot"),
    )


def _of_settings(refusal: Refusal) -> str:
    match refusal:
        case NotASpan():
            return _("The last day is before the first one. Choose a later last day.")
        case SpotStartsInThePast():
            return _("This day is over. Choose today or a later day.")
        case NotWholeMonths():
            return _("Choose 1 to %(most)s whole months.") % {"most": refusal.most}
        case NotInSteps():
            return _("Accounts are added in steps of %(step)s, at most %(most)s at a time.") % {
                "step": f"{refusal.per_step:,}",
                "most": f"{refusal.most:,}",
            }
        case NoLimit():
            return _("Your plan does not limit the number of accounts: there is nothing to add.")
        case NotAgreed():
            return _("Read the Terms of Use and tick that you agree to them.")
        case OtherTerms():
            return _(
                "There is a new version of the Terms of Use. Read it below and tick that you agree"
                " to it."
            )
        case SeveralTaxes():
            return _("The tax changes within this period. Order the months before and after apart.")
        case _:
            return _plain(refusal)


def _before(refusal: BeforePaidPlan, organisation: Organisation) -> Told:
    first_on = refusal.first_on
    return Told(
        _("Your paid plan begins on %(day)s. Choose that day or a later one.")
        % {"day": day(first_on)},
        f"{_page('order_spot', organisation)}?{urlencode({'first_on': first_on.isoformat()})}",
        _("Start on %(day)s") % {"day": day(first_on)},
    )


def _beyond(refusal: BeyondContract, organisation: Organisation) -> Told:
    """Say how far the paid plan reaches, how much of the wish fits, and how more would. Rule: S2-13."""
    last = {"day": day(last_day(refusal.end_on))}
    if organisation.closed_on is not None and refusal.end_on == organisation.closed_on:
        text = (
            _("Your contract with us ends on %(day)s, and so does everything added to it.") % last
        )
        return Told(
            f"{text} {_fits(refusal)}".strip(), _page("contract", organisation), _contract()
        )
    if not plans.vendor_for_pages().spot_may_span_renewal:
        text = _(
            "The term in which it would start ends on %(day)s, and accounts are added within one term."
        )
        return Told(
            f"{text % last} {_fits(refusal)}".strip(), _page("contract", organisation), _contract()
        )
    text = _(
        "Your paid plan ends on %(day)s, and accounts cannot be added beyond that unless it is"
        " renewed."
    )
    return Told(
        f"{text % last} {_fits(refusal)}".strip(),
        _page("order_renew", organisation),
        _("Renew now"),
    )


def _fits(refusal: BeyondContract) -> str:
    if not refusal.months:
        return _("Not one whole month fits until then.")
    return ngettext(
        "From this start, at most %(months)s month fits.",
        "From this start, at most %(months)s months fit.",
        refusal.months,
    ) % {"months": refusal.months}


def _contract() -> str:
    return _("Contract details")


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
