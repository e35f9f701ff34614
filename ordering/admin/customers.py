"""Staff act for a customer: the root's own orders, with a reason, through the same services. Rule: R12."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Organisation
from core import clock
from core.templatetags.writing import day, money_in_text, month
from ordering import services
from ordering.forms import name_of, staff
from ordering.models import Review
from ordering.queries import positions, proposals
from ordering.queries.proposals import Quote
from ordering.rules.acts import START_WITHIN_MONTHS, NotOnSale
from ordering.rules.guards import (
    Cancelled,
    Closed,
    NoMethod,
    Overdue,
    SpotDependsOnRenewal,
    TooManyAccounts,
)
from payments.admin.customers import CustomerAdmin
from payments.admin.office import Act, Doing, Fact, Refused
from payments.admin.payables import HINDRANCES
from payments.admin.written import Label
from plans.enums import Category
from plans.rules.price_changes import first_day
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

admin.site.unregister(Organisation)

_REFUSALS: Mapping[type[Exception], Label] = {
    Closed: gettext_lazy("The organisation is closed, so nothing can be ordered for it."),
    Cancelled: gettext_lazy("The contract is cancelled; the customer can withdraw that first."),
    NoMethod: gettext_lazy(
        "There is no active payment method. Tick that it is to be ordered all the same."
    ),
    Overdue: gettext_lazy("An invoice is overdue. Tick that it is to be ordered all the same."),
    NothingChanges: gettext_lazy("It is so already; nothing was changed."),
    NotFromHere: gettext_lazy(
        "A paid licence plan begins with a main contract, and the free plan follows at the end of one."
    ),
    ContractUnderWay: gettext_lazy("There is a main contract already: renew it or add licences."),
    NoContract: gettext_lazy("There is no main contract that this could be about."),
    StartsInThePast: gettext_lazy("This day is over. Choose today or a later day."),
    StartsTooLate: gettext_lazy("The day lies too far ahead."),
    NotATerm: gettext_lazy("A term has 1 or 12 months, and at least one step."),
    RenewedBefore: gettext_lazy("The next term is ordered already."),
    SpotDependsOnRenewal: gettext_lazy(
        "A spot order needs this renewal. Tick that it is to be cut and its unused months credited."
    ),
    NothingToWithdraw: gettext_lazy("No renewal is ordered that could be withdrawn."),
    ReturnsToFree: gettext_lazy("There is no free plan in this currency to return to."),
    NotOnSale: gettext_lazy("This plan is not on sale in this currency today."),
}


def _words(refusal: Refusal) -> str:
    match refusal:
        case TooManyAccounts():
            return _("%(in_use)s accounts are in use, and %(allowed)s would be allowed.") % {
                "in_use": refusal.in_use,
                "allowed": refusal.allowed,
            }
        case StartsTooLate():
            return _("Choose a day within the next %(months)s months.") % {
                "months": START_WITHIN_MONTHS
            }
        case _:
            return str(_REFUSALS[type(refusal)])


def _ordered(doing: Doing) -> staff.StaffOrder:
    if not isinstance(doing.form, staff.StaffOrder):
        raise TypeError(doing.form)
    return doing.form


def _preview(doing: Doing) -> Sequence[Fact]:
    """Store what is about to be shown, and show it: the same review that a root is shown."""
    form, organisation = _ordered(doing), doing.row
    try:
        act = form.act()
        quote = proposals.quote(organisation, act, now=doing.now, waivers=form.waivers)
        shown = services.review(
            organisation_id=organisation.pk,
            user_id=doing.user_id,
            act=act,
            now=doing.now,
            waivers=form.waivers,
        )
    except Refusal as refusal:
        raise Refused(_words(refusal)) from refusal
    doing.carried["review"] = str(shown.public_id)
    cut = _cut(shown, organisation.currency)
    return [*_contracted(quote, doing.now), *cut, *_bills(quote, organisation.currency)]


def _cut(shown: Review, currency: str) -> list[Fact]:
    """Return the spot contracts that lose their cover, and what is credited of them, as the review binds it.

    Rule: S2-13.
    """
    facts: list[Fact] = []
    for each in shown.shown.get("cut", []):
        amount = money_in_text(each["gross"], currency)
        said = _("does not begin, %(amount)s credited") % {"amount": amount}
        if each["begins"]:
            last = date.fromisoformat(each["on"]) - timedelta(days=1)
            said = _("ends on %(day)s, %(amount)s credited") % {"day": day(last), "amount": amount}
        facts.append((_("Spot contract %(number)s") % {"number": each["order"]}, said))
    return facts


def _save(doing: Doing) -> str:
    form = _ordered(doing)
    try:
        outcome = services.save(
            organisation_id=doing.row.pk,
            review_id=doing.typed["review"],
            actor=doing.actor,
            now=doing.now,
            reason=str(doing.typed["reason"]),
            waivers=form.waivers,
        )
    except Refusal as refusal:
        raise Refused(_words(refusal)) from refusal
    except tuple(HINDRANCES) as hindrance:
        raise Refused(str(HINDRANCES[type(hindrance)])) from hindrance
    except (services.Expired, Review.DoesNotExist) as gone:
        raise Refused(_("What was shown holds for 15 minutes. Look at it again.")) from gone
    if isinstance(outcome, services.Differs):
        raise Refused(
            _("It is no longer as it was shown, and nothing was saved. Look at it again.")
        )
    if not outcome.is_new:
        return _("This was saved before; nothing was changed a second time.")
    return _("It is saved, as it was shown.")


def _contracted(quote: Quote, now: datetime) -> list[Fact]:
    """Return what is to be contracted, from now on."""
    zone, after = quote.proposal.zone, quote.proposal.after
    facts: list[Fact] = []
    for category in Category:
        for span in after.of(category):
            if span.until_at is not None and span.until_at <= now:
                continue
            named = f"{name_of(span.terms)} × {span.steps}"
            on = first_day(span, zone)
            since = _("from %(day)s") % {"day": day(on)} if span.from_at > now else _("now")
            facts.append((category.label, f"{named}, {since}"))
    renews = _("on") if after.renews else _("off")
    return [*facts, (_("Automatic renewal"), renews)]


def _bills(quote: Quote, currency: str) -> list[Fact]:
    """Return the bills of this month and the next ones, before and after, tax included."""
    facts: list[Fact] = []
    for each in quote.months:
        before, after = (
            money_in_text(bill.expected.gross, currency) for bill in (each.before, each.after)
        )
        label = _("Bill of %(month)s, tax included") % {"month": month(each.month)}
        facts.append((label, f"{before} → {after}"))
    return facts


def _act(name: str, label: Label, about: Label, form: type[staff.StaffOrder]) -> Act:
    return Act(name=name, label=label, about=about, do=_save, form=form, preview=_preview)


@admin.register(Organisation)
class OrderingCustomerAdmin(CustomerAdmin):
    """A customer's page, from which staff order for them; what comes of it is shown first."""

    acts = (
        _act(
            "change-plan",
            gettext_lazy("Change the plan"),
            gettext_lazy(
                "Another licence or support plan, at once; billed from the next month on."
            ),
            staff.ChangePlan,
        ),
        _act(
            "start",
            gettext_lazy("Start a paid plan"),
            gettext_lazy("A main contract of 1 or 12 months, from today or a later day."),
            staff.Start,
        ),
        _act(
            "add-licences",
            gettext_lazy("Add licences"),
            gettext_lazy("More steps of the plan, at once and until the contract ends."),
            staff.AddLicences,
        ),
        _act(
            "renew",
            gettext_lazy("Renew"),
            gettext_lazy("The next term, at the price on sale today."),
            staff.Renew,
        ),
        _act(
            "renewal",
            gettext_lazy("Automatic renewal"),
            gettext_lazy("Whether a next term is ordered before the last one ends."),
            staff.SetRenewal,
        ),
        _act(
            "withdraw-renewal",
            gettext_lazy("Withdraw the renewal"),
            gettext_lazy("Take back a next term that is ordered, before it begins."),
            staff.WithdrawRenewal,
        ),
        _act(
            "return-to-free",
            gettext_lazy("Return to the free plan"),
            gettext_lazy("The contract ends on its last day, and the free plan follows."),
            staff.ReturnToFree,
        ),
    )

    def form_of(self, request: HttpRequest, row: Organisation, act: Act) -> forms.Form:
        if not issubclass(act.form, staff.StaffOrder):
            return super().form_of(request, row, act)
        return act.form(request.POST or None, position=positions.position(row, now=clock.now()))
