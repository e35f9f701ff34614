"""Paid Plan Order: what a root may order about a main contract, one page each. Rule: S2-12…S2-16."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import PortalRequest
from core import clock
from core.months import last_day
from core.templatetags.writing import day
from ordering import forms
from ordering.queries import positions
from ordering.queries.positions import Position
from ordering.rules.acts import Act, Renew, SetRenewal, WithdrawRenewal
from ordering.rules.guards import Closed, TooManyAccounts
from ordering.views import consequences, refusals, reviewing, spots
from ordering.views.refusals import Told
from plans.rules import PlanTerms
from plans.rules.timeline import NoContract, NothingChanges, Refusal, Span

_FORM = require_http_methods(["GET", "HEAD", "POST"])

View = Callable[[PortalRequest], HttpResponse]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of order: its page, its form, and what it is about in a sentence."""

    page: str
    form: type[forms.Order]
    title: str | Promise
    lead: str | Promise


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the menu; `why_not` where it cannot be ordered now, be it quoted at `quote_url`."""

    title: str
    lead: str
    url: str
    why_not: Told | None
    quote_url: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A plan to choose in a form."""

    code: str
    label: str
    lines: tuple[str, ...]


START = Kind(
    "order_start",
    forms.Start,
    gettext_lazy("Start a paid plan"),
    gettext_lazy(
        "A main contract of 1 or 12 months, from today or a later day. The free plan holds before"
        " and after it."
    ),
)
LICENCES = Kind(
    "order_licences",
    forms.AddLicences,
    gettext_lazy("Add licences"),
    gettext_lazy(
        "More steps of your plan, at once and until your contract ends; billed from the next month"
        " on. The last day stays."
    ),
)
RENEW = Kind(
    "order_renew",
    forms.Renew,
    gettext_lazy("Renew now"),
    gettext_lazy(
        "Order the next term today, at the price on sale today. It begins the day after your last day."
    ),
)
RENEWAL = Kind(
    "order_renewal",
    forms.SetRenewal,
    gettext_lazy("Automatic renewal"),
    gettext_lazy("Whether a next term is ordered for you before the last one ends."),
)
RETURN = Kind(
    "order_return",
    forms.ReturnToFree,
    gettext_lazy("Return to the free plan"),
    gettext_lazy("Let your contract end on its last day. The free plan follows the next day."),
)
WITHDRAW = Kind(
    "order_withdraw",
    forms.WithdrawRenewal,
    gettext_lazy("Withdraw the renewal"),
    gettext_lazy("Take back a term that is ordered, before it begins."),
)
KINDS = (START, LICENCES, RENEW, RENEWAL, WITHDRAW, RETURN)


@require_safe
def menu(request: PortalRequest) -> HttpResponse:
    """Show what can be ordered; what cannot now says why. Rule: S2-12, S2-21."""
    position = positions.position(request.organisation, now=clock.now())
    context = {
        "organisation": request.organisation,
        "entries": [_spot(position), *(_entry(kind, position) for kind in KINDS)],
    }
    return render(request, "ordering/menu.html", context)


def order(kind: Kind) -> View:
    """Return the page of a kind of order: shown by GET, sent to its review by POST."""

    @_FORM
    @vary_on_headers("HX-Request")
    def page(request: PortalRequest) -> HttpResponse:
        position = positions.position(request.organisation, now=clock.now())
        if request.method == "POST":
            return _post(request, kind, position)
        return _show(request, kind, kind.form(request.GET or None, position=position))

    return page


def _post(request: PortalRequest, kind: Kind, position: Position) -> HttpResponse:
    form = kind.form(request.POST, position=position)
    if not form.is_valid():
        return _show(request, kind, form, status=400)
    try:
        return reviewing.begin(request, form.act())
    except Refusal as refusal:
        return _refuse(request, kind, form, refusal)


def _refuse(
    request: PortalRequest, kind: Kind, form: forms.Order, refusal: Refusal
) -> HttpResponse:
    """Show the form again with what is refused: at its field, else above it."""
    told = _told(refusal, form.position)
    field = form.fields_of.get(type(refusal))
    facts: list[consequences.Fact] = []
    if isinstance(refusal, TooManyAccounts) and _may_confirm(refusal, form.position):
        facts, field = _facts(form), "is_confirmed"
        told = Told(_to_confirm(refusal, form.position), *_who_leaves(refusal, form.position))
    if field:
        form.add_error(field, _linked(told))
        return _show(request, kind, form, facts=facts, status=400)
    return _show(request, kind, form, refused=told, status=400)


def _who_leaves(refusal: TooManyAccounts, position: Position) -> tuple[str, str]:
    """Return where it stands who would leave, and what that is called. Rule: design.md 6.5."""
    query = urlencode(
        {
            "allowed": refusal.allowed,
            "from_on": refusal.from_at.astimezone(position.zone).date().isoformat(),
        }
    )
    page = reverse("accounts_leaving", kwargs={"organisation": position.organisation.public_id})
    return f"{page}?{query}", _("See who would leave")


def _to_confirm(refusal: TooManyAccounts, position: Position) -> str:
    return _(
        "%(in_use)s accounts are in use, and from %(day)s on %(allowed)s are allowed. Tick this to go"
        " on, or give up accounts first."
    ) % {
        "in_use": refusal.in_use,
        "allowed": refusal.allowed,
        "day": day(refusal.from_at.astimezone(position.zone).date()),
    }


def _linked(told: Told) -> str:
    if not told.url:
        return told.text
    return format_html('{} <a href="{}">{}</a>', told.text, told.url, told.label)


def _show(
    request: PortalRequest,
    kind: Kind,
    form: forms.Order,
    *,
    refused: Told | None = None,
    facts: Sequence[consequences.Fact] = (),
    status: int = 200,
) -> HttpResponse:
    position = form.position
    why_not: Told | None = None
    refusal = position.why_not(form.least())
    if refusal is not None:
        refused = refused or _told(refusal, position)
    elif form.is_valid():
        try:
            facts = _facts(form)
        except Refusal as found:
            why_not = _told(found, position)
    context = {
        "organisation": request.organisation,
        "here": reverse(kind.page, kwargs={"organisation": request.organisation.public_id}),
        "title": _title(kind, position),
        "lead": kind.lead,
        "form": form,
        "fields": [each for each in form if each.name not in {"plan", "is_confirmed"}],
        "ways": _ways(form),
        "chosen": form["plan"].value() if "plan" in form.fields else "",
        "is_possible": refusal is None,
        "refused": refused,
        "is_asked": request.method == "POST",
        "why_not": why_not,
        "facts": facts,
    }
    is_part = bool(request.htmx) and request.method != "POST"
    template = "ordering/_consequences.html" if is_part else "ordering/order.html"
    return render(request, template, context | {"is_part": is_part}, status=status)


def _facts(form: forms.Order) -> list[consequences.Fact]:
    """Return what the order leads to; the form asks for a confirmation where one is needed.

    Raises Refusal.
    """
    position, act = form.position, form.act()
    try:
        after = position.after(_confirmed(act, is_confirmed=False))
    except TooManyAccounts as refusal:
        if not _may_confirm(refusal, position):
            raise
        _ask(form, refusal)
        after = position.after(_confirmed(act, is_confirmed=True))
    return consequences.facts(position, act, after)


def _confirmed(act: Act, *, is_confirmed: bool) -> Act:
    match act:
        case Renew() | WithdrawRenewal() | SetRenewal():
            return replace(act, is_confirmed=is_confirmed)
        case _:
            return act


def _may_confirm(refusal: TooManyAccounts, position: Position) -> bool:
    """Return whether accounts can still be given up before they are too many."""
    return refusal.from_at > position.market.now


def _ask(form: forms.Order, refusal: TooManyAccounts) -> None:
    """Have the form ask whether the root knows how many accounts are to be given up."""
    excess = refusal.in_use - refusal.allowed
    on = refusal.from_at.astimezone(form.position.zone).date()
    form["is_confirmed"].label = ngettext(
        "I know that %(count)s account has to be given up by %(day)s",
        "I know that %(count)s accounts have to be given up by %(day)s",
        excess,
    ) % {"count": excess, "day": day(last_day(on))}
    form["is_confirmed"].help_text = format_html(
        '<a href="{}">{}</a>', *_who_leaves(refusal, form.position)
    )
    form.asks_to_confirm = True


def _spot(position: Position) -> Entry:
    """Return the entry of spot orders, which have a wizard of their own. Rule: S2-21."""
    here = reverse("order_spot", kwargs={"organisation": position.organisation.public_id})
    return Entry(
        title=_("Add Spot"),
        lead=_(
            "More accounts for some months inside your paid plan: paid once, ending by themselves."
        ),
        url=here,
        why_not=spots.why_not(position),
        quote_url=here if spots.is_quoted(position) else "",
    )


def _entry(kind: Kind, position: Position) -> Entry:
    closed_on = position.organisation.closed_on
    refusal = (
        Closed()
        if closed_on is not None and closed_on <= position.today
        else position.why_not(kind.form(None, position=position).least())
    )
    why_not = _told(refusal, position) if refusal else None
    if isinstance(refusal, NoContract) and why_not is not None:
        # What it links to is the first entry of the same menu.
        why_not = Told(why_not.text)
    return Entry(
        title=_title(kind, position),
        lead=str(kind.lead),
        url=reverse(kind.page, kwargs={"organisation": position.organisation.public_id}),
        why_not=why_not,
    )


def _title(kind: Kind, position: Position) -> str:
    if kind is WITHDRAW and position.is_first_ahead:
        return _("Withdraw the ordered contract")
    if kind is not RENEWAL or position.last_term is None:
        return str(kind.title)
    if position.contracted.renews:
        return _("Switch automatic renewal off")
    return _("Switch automatic renewal on")


def _told(refusal: Refusal, position: Position) -> Told:
    """Return a refusal in words, with the days of the contract where they explain it."""
    last = position.last_term
    if isinstance(refusal, NoContract) and last is not None:
        text = _("Your main contract begins on %(day)s. From then on you can add licences.")
        return Told(text % {"day": day(last.first_on)})
    if isinstance(refusal, NothingChanges) and last is not None:
        if position.contracted.renews:
            return Told(_("Automatic renewal is on already."))
        text = _("It is so already: the free plan follows on %(day)s.")
        return Told(text % {"day": day(last.end_on)})
    return refusals.told(refusal, position.organisation, position.zone)


def _ways(form: forms.Order) -> list[Way]:
    """Return the plans to choose among, each with its price and its accounts of one step."""
    if "plan" not in form.fields:
        return []
    position = form.position
    return [
        Way(each.plan_code, forms.name_of(each), _lines(position, each))
        for each in position.paid_plans
    ]


def _lines(position: Position, terms: PlanTerms) -> tuple[str, ...]:
    span = Span(terms, 1, position.market.now)
    if span.accounts is None:
        return (consequences.fee(position, span),)
    allowed = _("%(number)s accounts a step") % {"number": consequences.accounts(span)}
    return (consequences.fee(position, span), allowed)
