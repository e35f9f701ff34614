"""Contract Cancellation: what it comes to, the terms and the password, the receipt. Rule: S1-27…S1-30."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from cancellation import services
from cancellation.enums import ReviewState
from cancellation.forms import Confirm
from cancellation.models import Cancellation, Review
from cancellation.queries import preview as previews
from cancellation.queries import standing
from cancellation.queries.preview import NoTerms, Preview
from cancellation.rules.ending import BoxesMissing, CancelledBefore, NotACustomer, SignInAgain
from cancellation.views import told
from core import clock
from core.months import last_day
from core.templatetags.writing import day
from plans import queries as plans

_FORM = require_http_methods(["GET", "HEAD", "POST"])


@_FORM
def begin(request: PortalRequest) -> HttpResponse:
    """Show what follows from a cancellation; by POST, go on to its terms. Rule: S1-29."""
    try:
        if request.method == "POST":
            found = services.review(
                organisation_id=request.organisation.pk, user_id=request.user.pk, now=clock.now()
            )
            return _to_review(request, found)
        preview = previews.preview(request.organisation, now=clock.now())
    except (CancelledBefore, NotACustomer, NoTerms) as refusal:
        return _refuse(request, refusal)
    return render(request, "cancellation/begin.html", _of_preview(request, preview))


@never_cache
@sensitive_post_parameters("password")
@_FORM
def confirm(request: PortalRequest, review: UUID) -> HttpResponse:
    """Show the terms beneath what was reviewed; by POST, end the contract as shown. Rule: S1-28, S1-29."""
    found = standing.review_of(request.organisation, review, request.user.pk)
    if found is None:
        raise Http404
    if found.state == ReviewState.CONFIRMED:
        return _to_receipt(request, found.cancellation)
    if found.state == ReviewState.REPLACED:
        return _to_review(request, found.replaced_by)
    if request.method == "POST":
        return _confirm(request, found)
    return _show(request, found, Confirm(boxes=found.terms.boxes))


@_FORM
def withdraw(request: PortalRequest) -> HttpResponse:
    """Ask whether the contract is to go on after all; by POST, have it go on. Rule: S1-29."""
    here = redirect(_contract(request))
    if request.method == "POST":
        try:
            services.withdraw(
                organisation_id=request.organisation.pk, user_id=request.user.pk, now=clock.now()
            )
        except services.NothingToWithdraw:
            messages.info(
                request, _("There is no cancellation to withdraw: your contract goes on.")
            )
        except services.TooLate:
            messages.error(
                request,
                _("The last day is over, so the cancellation cannot be withdrawn any more."),
            )
        else:
            messages.success(request, _("The cancellation is withdrawn. Your contract goes on."))
        return here
    found = standing.of(request.organisation)
    if found is None or not standing.can_be_withdrawn(found, clock.now()):
        return here
    context = {
        "organisation": request.organisation,
        "cancellation": found,
        "last_on": last_day(found.end_on),
    }
    return render(request, "cancellation/withdraw.html", context)


@_FORM
def reopen(request: PortalRequest) -> HttpResponse:
    """Ask whether a customer who has left comes back; by POST, make them one again."""
    if request.method == "POST":
        try:
            services.reopen(
                organisation_id=request.organisation.pk,
                actor=f"user:{request.user.pk}",
                now=clock.now(),
            )
        except services.NothingToReopen:
            messages.info(
                request, _("Your contract has not ended; there is nothing to open again.")
            )
            return redirect(_contract(request))
        except services.NoFreePlan:
            messages.error(
                request, _("There is no plan to begin with in your currency. Support can help you.")
            )
            return redirect(_contract(request))
        messages.success(
            request, _("Welcome back. Choose a plan to begin; your history is as you left it.")
        )
        return redirect("order", request.organisation.public_id)
    found = standing.of(request.organisation)
    if found is None or found.end_on > clock.today(plans.zone_for_pages()):
        return redirect(_contract(request))
    return render(
        request,
        "cancellation/reopen.html",
        {"organisation": request.organisation, "last_on": last_day(found.end_on)},
    )


def _confirm(request: PortalRequest, found: Review) -> HttpResponse:
    form = Confirm(request.POST, boxes=found.terms.boxes)
    if not form.is_valid():
        return _show_all(request, found, form)
    now = clock.now()
    try:
        if not services.sign_in_again(
            organisation_id=request.organisation.pk,
            review_id=found.public_id,
            user_id=request.user.pk,
            password=form.cleaned_data["password"],
            now=now,
        ):
            form.add_error("password", _("This is not your password."))
            return _show_all(request, found, form)
        outcome = services.confirm(
            organisation_id=request.organisation.pk,
            review_id=found.public_id,
            user_id=request.user.pk,
            ticked=form.cleaned_data["ticked"],
            now=now,
            reason=form.cleaned_data["reason"],
            reason_text=form.cleaned_data["reason_text"],
        )
    except services.TooManyTries:
        form.add_error(
            "password",
            _("Too many wrong passwords. Wait an hour, or set a new password, and try again."),
        )
        return _show(request, found, form, status=429)
    except BoxesMissing as refusal:
        form.add_error("ticked", _missing(refusal, len(found.terms.boxes)))
        return _show(request, found, form, missing=set(refusal.missing), status=400)
    except SignInAgain:
        form.add_error("password", _("Enter your password once more."))
        return _show(request, found, form, status=400)
    except services.Expired:
        return _show(request, found, form, status=409)
    except (CancelledBefore, NotACustomer, NoTerms) as refusal:
        return _refuse(request, refusal)
    if isinstance(outcome, services.Differs):
        return _to_review(request, outcome.review)
    if not outcome.is_new:
        messages.info(request, _("This was confirmed before; nothing was done a second time."))
    return _to_receipt(request, outcome.cancellation)


def _show_all(request: PortalRequest, found: Review, form: Confirm) -> HttpResponse:
    """Show what is wrong with what was sent, and at once which boxes are not ticked."""
    boxes = len(found.terms.boxes)
    missing = tuple(place for place in range(boxes) if place not in form.places)
    if missing and "ticked" not in form.errors:
        form.add_error("ticked", _missing(BoxesMissing(missing), boxes))
    return _show(request, found, form, missing=set(missing), status=400)


def _missing(refusal: BoxesMissing, boxes: int) -> str:
    numbers = ", ".join(str(place + 1) for place in sorted(refusal.missing))
    if len(refusal.missing) == boxes:
        return _("Tick each of the terms to agree to it. None is ticked.")
    return _("Tick each of the terms to agree to it. Not ticked: %(numbers)s.") % {
        "numbers": numbers
    }


def _show(
    request: PortalRequest,
    found: Review,
    form: Confirm,
    *,
    missing: set[int] | None = None,
    status: int = 200,
) -> HttpResponse:
    now = clock.now()
    try:
        preview = previews.preview(request.organisation, now=now)
    except (CancelledBefore, NotACustomer, NoTerms) as refusal:
        return _refuse(request, refusal)
    ticked = form.places if form.is_bound else set()
    text = told.text(found.terms)
    context = _of_preview(request, preview) | {
        "review": found,
        "form": form,
        "text": text,
        "boxes": [
            {
                "place": place,
                "number": place + 1,
                "text": each,
                "is_ticked": place in ticked,
                "is_missing": place in (missing or set()),
            }
            for place, each in enumerate(text.boxes)
        ],
        "differences": told.differences(found),
        "is_expired": now >= found.expires_at,
        "zone": plans.vendor_for_pages().time_zone,
    }
    return render(request, "cancellation/confirm.html", context, status=status)


def _of_preview(request: PortalRequest, preview: Preview) -> dict[str, Any]:
    currency = request.organisation.currency
    return {
        "organisation": request.organisation,
        "preview": preview,
        "last_on": preview.last_on,
        "facts": told.facts(preview),
        "bills": told.bills(preview.last_bills, currency),
        "opens": told.opens(preview),
        "refunds": preview.refunds_under_way,
        "spots": told.spots(preview.spots, currency),
        "unpaid": told.unpaid(preview),
        "contract_url": _contract(request),
    }


def _refuse(
    request: PortalRequest, refusal: CancelledBefore | NotACustomer | NoTerms
) -> HttpResponse:
    """Lead to the contract, which says how it stands."""
    match refusal:
        case CancelledBefore():
            found = standing.of(request.organisation)
            when = day(last_day(found.end_on)) if found else ""
            text = _("Your contract is cancelled already; its last day is %(day)s.") % {"day": when}
        case NotACustomer():
            text = _("There is no contract to cancel.")
        case _:
            text = _(
                "Contracts cannot be cancelled here at the moment. Tell Support, and we do it for you."
            )
    messages.info(request, text)
    return redirect(_contract(request))


def _contract(request: PortalRequest) -> str:
    url = reverse("contract", kwargs={"organisation": request.organisation.public_id})
    return f"{url}#cancellation"


def _to_review(request: PortalRequest, found: Review) -> HttpResponse:
    return redirect(
        "cancellation_confirm",
        organisation=request.organisation.public_id,
        review=found.public_id,
    )


def _to_receipt(request: PortalRequest, found: Cancellation) -> HttpResponse:
    return redirect(
        "cancellation_receipt",
        organisation=request.organisation.public_id,
        cancellation=found.public_id,
    )
