from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import queries as accounts
from accounts.access import PortalRequest, SignedInRequest
from accounts.enums import Role
from accounts.models import Membership, Organisation
from billing import views as invoice_pages
from billing.documents import content
from billing.queries import credits as credit_notes
from billing.queries import invoices as issued
from billing.queries import month_view as months
from core import clock, tables
from core.months import BillingMonth, NotAMonth
from pages import forms, queries, sheets, showcase
from pages import invoices as listed
from pages import orders as ordered
from pages import usage as presented
from pages.context import billing_tabs, list_tabs
from payments.queries import payables
from payments.views import standing
from plans import queries as plans
from spot_orders import queries as spot_orders

_WITH_PAGES = frozenset({Role.ROOT, Role.MANAGER})


@require_safe
def home(request: SignedInRequest) -> HttpResponse:
    """Lead to the one page that a person has; else show which there are. Rule: S1-07."""
    found = list(accounts.memberships_of(request.user))
    if len(found) != 1:
        return render(request, "pages/home.html", {"choices": _choices(found)})
    membership = found[0]
    if membership.role in _WITH_PAGES:
        return redirect("usage", organisation=membership.organisation.public_id)
    return _member(request, membership)


@require_safe
def usage(request: PortalRequest) -> HttpResponse:
    """Show a month's usage and what it costs. Rule: S1-01, S1-07, S1-08, S1-09, S1-10."""
    now = clock.now()
    vendor = plans.vendor_for_pages()
    organisation = request.organisation
    selectable = months.selectable_months(organisation, now, ZoneInfo(vendor.time_zone))
    action = reverse("usage", kwargs={"organisation": organisation.public_id})
    context: dict[str, Any] = {
        "is_part": bool(request.htmx),
        "tabs": billing_tabs(request.membership, "usage"),
        "action": action,
    }
    try:
        month = forms.chosen_month(request.GET, default=selectable[-1])
        view = months.month_view(organisation, month, now=now, vendor=vendor)
    except (NotAMonth, months.MonthNotSelectable):
        context["picker"] = presented.picker(action, selectable[-1], selectable)
        context["refusal"] = _refusal(selectable)
        return _usage_page(request, context, status=400)
    context["picker"] = presented.picker(action, month, selectable)
    is_root = request.membership.role == Role.ROOT
    context["page"] = presented.page(
        organisation,
        view,
        url=action,
        grace=settings.BILLING_GRACE,
        now=now,
        may_see_invoices=is_root,
        paid=_paid(organisation, view) if is_root else "",
    )
    return _usage_page(request, context)


@require_safe
def usage_csv(request: PortalRequest) -> HttpResponseBase:
    """Hand over a month's days, or with `part=amounts` its lines, as CSV. Rule: S1-01."""
    now = clock.now()
    vendor = plans.vendor_for_pages()
    organisation = request.organisation
    selectable = months.selectable_months(organisation, now, ZoneInfo(vendor.time_zone))
    try:
        month = forms.chosen_month(request.GET, default=selectable[-1])
        view = months.month_view(organisation, month, now=now, vendor=vendor)
    except (NotAMonth, months.MonthNotSelectable):
        context = {
            "reason": _refusal(selectable),
            "href": reverse("usage", kwargs={"organisation": organisation.public_id}),
            "label": _("Usage of this month"),
        }
        return render(request, "400.html", context, status=400)
    part = "amounts" if request.GET.get("part") == "amounts" else "days"
    sheet = sheets.amounts(view) if part == "amounts" else sheets.days(view)
    return tables.csv_response(f"usage-{month}-{part}.csv", sheet.header, sheet.rows)


@require_safe
def invoices(request: PortalRequest) -> HttpResponse:
    """Show invoices and credit notes, how they are paid, or those searched for. Rule: japan.md."""
    organisation, vendor, now = request.organisation, plans.vendor_for_pages(), clock.now()
    form = forms.InvoiceSearch(
        request.GET, currency=organisation.currency, prefix_of_numbers=vendor.invoice_prefix
    )
    if form.is_valid():
        found = queries.standing_so(issued.found(organisation, form.search()), form.standing())
    else:
        found = issued.invoices_of(organisation).none()
    zone = ZoneInfo(vendor.time_zone)
    totals = issued.totals(found)
    pages = Paginator(found, issued.PAGE)
    pages.count = sum(total.count for total in totals)
    page = pages.get_page(request.GET.get("page"))
    context = {
        **_list(request, "invoices", form),
        "open": listed.opening(payables.owed_by(organisation), zone),
        "waiting": ordered.waiting(organisation, spot_orders.unpaid_of(organisation), now, zone),
        "rows": listed.rows(organisation, page, zone),
        "page": page,
        "totals": totals,
    }
    return render(request, "pages/invoices.html", context)


@require_safe
def orders(request: PortalRequest) -> HttpResponse:
    """Show what was ordered, how each order stands, and its documents. Rule: S2-26, S2-28."""
    organisation, vendor, now = request.organisation, plans.vendor_for_pages(), clock.now()
    zone = ZoneInfo(vendor.time_zone)
    form = forms.OrderSearch(
        request.GET, currency=organisation.currency, prefix_of_numbers=vendor.invoice_prefix
    )
    found: Sequence[queries.Row] | QuerySet[Any, queries.Row] = ()
    if form.is_valid():
        found = queries.orders(organisation, form.search(), zone)
    page = Paginator(found, issued.PAGE).get_page(request.GET.get("page"))
    context = {
        **_list(request, "invoice_orders", form),
        "rows": ordered.rows(organisation, queries.loaded(list(page)), now, zone),
        "page": page,
    }
    return render(request, "pages/orders.html", context)


def _list(request: PortalRequest, current: str, form: forms.Lookup) -> dict[str, Any]:
    """Return what the lists of documents and of orders have in common."""
    parameters = request.GET.copy()
    parameters.pop("page", None)
    return {
        "tabs": list_tabs(request.membership, current),
        "form": form,
        "query": f"{parameters.urlencode()}&" if parameters else "",
        "organisation": request.organisation,
    }


@require_safe
def invoice(request: PortalRequest, invoice: UUID) -> HttpResponse:
    """Show an invoice: what is owed, until when, for what; or a credit note, and of which invoice."""
    sheet = invoice_pages.sheet_or_404(request, invoice)
    context = {
        **invoice_pages.of_invoice(request, sheet),
        "document": content.content_of(sheet, invoice_pages.reader_language()),
        "state": issued.document_state(sheet.invoice),
    }
    if sheet.invoice.is_credit_note:
        return render(request, "pages/credit_note.html", context)
    left = credit_notes.left_of(sheet.invoice)
    payable = payables.of_public_id(request.organisation, invoice)
    context |= {
        "left": left,
        "notes": [(issued.number_of(note), note) for note in left.notes],
        "told": standing.told(
            payables.outlook_of(payable) if payable else None, plans.zone_for_pages()
        ),
    }
    return render(request, "pages/invoice.html", context)


@require_safe
def components(request: HttpRequest) -> HttpResponse:
    """Show every component in every state, to staff."""
    return render(request, "pages/components.html", showcase.everything(request))


def _paid(organisation: Organisation, view: months.MonthView) -> str:
    """Return in one sentence how a month's invoice is paid; empty where there is none."""
    if view.invoice is None:
        return ""
    return standing.of_month(payables.of_invoice(organisation, view.invoice.public_id))


def _choices(memberships: Sequence[Membership]) -> list[dict[str, Any]]:
    """Return the organisations to choose from; of those that one owns, whether they are late."""
    owned = [each.organisation_id for each in memberships if each.role == Role.ROOT]
    overdue = payables.overdue_among(owned) if owned else set()
    return [_choice(each, each.organisation_id in overdue) for each in memberships]


def _choice(membership: Membership, is_overdue: bool) -> dict[str, Any]:
    organisation = membership.organisation
    return {
        "is_overdue": is_overdue,
        "name": organisation.name,
        "role": membership.get_role_display(),
        "url": reverse("usage", kwargs={"organisation": organisation.public_id})
        if membership.role in _WITH_PAGES
        else "",
    }


def _member(request: HttpRequest, membership: Membership) -> HttpResponse:
    context = {
        "organisation": membership.organisation,
        "root": accounts.root_of(membership.organisation),
        "since": membership.registered_at.astimezone(plans.zone_for_pages()).date(),
    }
    return render(request, "pages/member.html", context)


def _usage_page(request: PortalRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    template = "pages/_usage.html" if request.htmx else "pages/usage.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _refusal(selectable: Sequence[BillingMonth]) -> str:
    return _("There is no such month to show. Choose one from %(first)s to %(last)s.") % {
        "first": presented.month_name(selectable[0]),
        "last": presented.month_name(selectable[-1]),
    }
