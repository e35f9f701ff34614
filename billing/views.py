"""The document of an invoice, and how each of its lines was computed."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import PortalRequest
from accounts.enums import Language
from billing import forms
from billing.documents import content, words
from billing.enums import DocumentState
from billing.models import Invoice
from billing.queries import invoices as queries
from billing.queries import lines
from billing.queries.invoices import Line, Sheet
from billing.queries.lines import Days, Prices
from billing.rules import explanations
from billing.rules.explanations import (
    AdjustmentWhy,
    CreditWhy,
    FeeWhy,
    LineBackWhy,
    RateBackWhy,
    SpotWhy,
    UsageWhy,
)
from billing.services import documents
from core import clock
from core.tables import Cell, csv_response
from plans.enums import Aggregation
from usage import queries as usage

_EXPLAINED_BY = {
    FeeWhy: "billing/_why_fee.html",
    SpotWhy: "billing/_why_spot.html",
    UsageWhy: "billing/_why_usage.html",
    AdjustmentWhy: "billing/_why_adjustment.html",
    CreditWhy: "billing/_why_credit.html",
    LineBackWhy: "billing/_why_line_back.html",
    RateBackWhy: "billing/_why_rate_back.html",
}
_AGGREGATION = {
    Aggregation.SUM: _("The month is the sum of its days."),
    Aggregation.MAX: _("The month is its highest day."),
    Aggregation.LAST: _("The month is its latest day that has usage."),
}
# A PDF is data that somebody else may have put words into: it runs nothing, wherever it is opened.
_SANDBOX = "default-src 'none'; sandbox"


@require_safe
def invoice_csv(request: PortalRequest, invoice: UUID) -> HttpResponseBase:
    sheet = sheet_or_404(request, invoice)
    header = [
        gettext("Item"),
        gettext("Quantity"),
        gettext("Unit"),
        gettext("Amount (net, minor units)"),
        gettext("Tax code"),
    ]
    return csv_response(f"{sheet.number}.csv", header, _line_cells(sheet))


@require_http_methods(["GET", "HEAD", "POST"])
def invoice_document(request: PortalRequest, invoice: UUID) -> HttpResponse:
    """Show how far an invoice's PDF is; by POST, ask for it ahead of others."""
    sheet = sheet_or_404(request, invoice)
    state = queries.document_state(sheet.invoice)
    here = redirect(_url("invoice_document", request, sheet.invoice))
    if request.method == "POST":
        if state is DocumentState.ABSENT or state is DocumentState.WAITING:
            documents.ask_first(invoice_id=sheet.invoice.pk, now=clock.now())
        return here
    template = (
        "billing/_document.html" if request.headers.get("HX-Request") else "billing/document.html"
    )
    response = render(request, template, {**of_invoice(request, sheet), "state": state})
    response["Vary"] = "HX-Request"
    return response


@require_safe
def invoice_pdf(request: PortalRequest, invoice: UUID) -> HttpResponse:
    """Hand out the archived PDF; where it is not made yet, lead to the page that says so."""
    found = queries.with_document(request.organisation, invoice)
    if found is None:
        raise Http404
    document = queries.document_of(found)
    if document is None:
        return redirect(_url("invoice_document", request, found))
    name = f"{words.WORDS[found.language].labels[found.kind].title}_{queries.number_of(found)}.pdf"
    response = HttpResponse(bytes(document.pdf), content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Content-Security-Policy"] = _SANDBOX
    return response


@require_safe
def invoice_line(request: PortalRequest, invoice: UUID, position: int) -> HttpResponse:
    """Show how a line's amount came about: formula, prices, days. Rule: design.md 6.2."""
    sheet, line = _line(request, invoice, position)
    zone = ZoneInfo(sheet.invoice.vendor.time_zone)
    prices = lines.prices_of(line, zone)
    context = {
        **of_invoice(request, sheet),
        **_of_line(line),
        "rounded": line.row.net,
        "explained_by": _EXPLAINED_BY[type(line.why)],
        "plan": _plan_name(prices) if prices else "",
        "prices": prices,
        "zone": sheet.invoice.vendor.time_zone,
        "days": lines.days_of(line),
        "aggregation": _AGGREGATION[Aggregation(line.row.meter.aggregation)]
        if line.row.meter
        else "",
    }
    return render(request, "billing/invoice_line.html", context)


@require_safe
def invoice_tiers_csv(request: PortalRequest, invoice: UUID, position: int) -> HttpResponseBase:
    sheet, line = _line(request, invoice, position)
    rated = explanations.usage_of(line.why)
    if rated is None:
        raise Http404
    header = [
        gettext("Above"),
        gettext("Up to"),
        gettext("Units"),
        gettext("Unit price (minor units)"),
        gettext("Amount (minor units)"),
    ]
    rows: Iterator[Sequence[Cell]] = (
        (tier.above, tier.to, tier.units, tier.unit_price, tier.amount) for tier in rated.tiers
    )
    return csv_response(f"{sheet.number}-{position}-tiers.csv", header, rows)


@require_safe
def invoice_days_csv(request: PortalRequest, invoice: UUID, position: int) -> HttpResponseBase:
    sheet, line = _line(request, invoice, position)
    days = _days(line)
    header = [gettext("Day"), gettext("Used"), gettext("Events")]
    rows: Iterator[Sequence[Cell]] = ((each.day, each.quantity, each.events) for each in days.days)
    return csv_response(f"{sheet.number}-{position}-days.csv", header, rows)


@require_safe
def invoice_day(request: PortalRequest, invoice: UUID, position: int, day: str) -> HttpResponse:
    """Show the events behind a day of a line, a page at a time."""
    sheet, line = _line(request, invoice, position)
    the_day, meter_id = _day_of(line, day)
    after = forms.place(request.GET.get("after", ""))
    page = usage.events_of(sheet.invoice.organisation_id, the_day, meter_id, after=after)
    context = {
        **of_invoice(request, sheet),
        **_of_line(line),
        "day": the_day,
        "events": page.events,
        "following": forms.place_written(page.last) if page.following and page.last else "",
        "zone": sheet.invoice.vendor.time_zone,
    }
    return render(request, "billing/invoice_day.html", context)


@require_safe
def invoice_day_csv(
    request: PortalRequest, invoice: UUID, position: int, day: str
) -> HttpResponseBase:
    sheet, line = _line(request, invoice, position)
    the_day, meter_id = _day_of(line, day)
    header = [
        gettext("Event id"),
        gettext("Time"),
        gettext("Quantity"),
        gettext("Corrects"),
        gettext("Replaced by"),
    ]
    return csv_response(
        f"{sheet.number}-{position}-{the_day}.csv",
        header,
        _event_cells(sheet.invoice, meter_id, the_day),
    )


def reader_language() -> Language:
    """Return the language of this page."""
    return Language.JA if get_language() == "ja" else Language.EN


def _plan_name(prices: Prices) -> str:
    return prices.plan_ja if reader_language() is Language.JA else prices.plan_en


def sheet_or_404(request: PortalRequest, public_id: UUID) -> Sheet:
    """Return all that a document of the organisation says; a 404 where it has none of this id."""
    sheet = queries.sheet_of(request.organisation, public_id)
    if sheet is None:
        raise Http404
    return sheet


def _line(request: PortalRequest, public_id: UUID, position: int) -> tuple[Sheet, Line]:
    sheet = sheet_or_404(request, public_id)
    line = queries.line_of(sheet, position)
    if line is None:
        raise Http404
    return sheet, line


def _days(line: Line) -> Days:
    days = lines.days_of(line)
    if days is None:
        raise Http404
    return days


def _day_of(line: Line, written: str) -> tuple[date, int]:
    """Return a day of a line's month and the line's meter."""
    rated, day, meter_id = explanations.usage_of(line.why), forms.a_day(written), line.row.meter_id
    if rated is None or day is None or meter_id is None:
        raise Http404
    if not rated.first_day <= day <= rated.last_day:
        raise Http404
    return day, meter_id


def of_invoice(request: PortalRequest, sheet: Sheet) -> dict[str, Any]:
    """Return what every page of a document shows of it."""
    return {
        "organisation": request.organisation,
        "invoice": sheet.invoice,
        "number": sheet.number,
        "named": _named(sheet),
        "month": sheet.month,
        "is_spot": bool(sheet.spot),
        "order": _order_of(sheet),
    }


def _order_of(sheet: Sheet) -> UUID | None:
    """Return the public id of the spot order that a document bills or gives back."""
    return (sheet.invoice.corrects or sheet.invoice).operation if sheet.spot else None


def _named(sheet: Sheet) -> str:
    """Return what a document is called: its kind and its number."""
    if sheet.invoice.is_credit_note:
        return gettext("Credit note %(number)s") % {"number": sheet.number}
    return gettext("Invoice %(number)s") % {"number": sheet.number}


def _of_line(line: Line) -> dict[str, Any]:
    language = reader_language()
    return {
        "line": line,
        "title": content.title_of(line, language),
        "unit": content.unit_of(line, language),
    }


def _url(name: str, request: PortalRequest, invoice: Invoice) -> str:
    return reverse(
        name,
        kwargs={
            "organisation": request.organisation.public_id,
            "invoice": invoice.public_id,
        },
    )


def _line_cells(sheet: Sheet) -> Iterator[Sequence[Cell]]:
    language = reader_language()
    for line in sheet.lines:
        yield (
            content.title_of(line, language),
            line.row.quantity,
            content.unit_of(line, language),
            line.row.net,
            line.row.tax_code,
        )


def _event_cells(invoice: Invoice, meter_id: int, day: date) -> Iterator[Sequence[Cell]]:
    zone = ZoneInfo(invoice.vendor.time_zone)
    after: tuple[datetime, str] | None = None
    while True:
        page = usage.events_of(invoice.organisation_id, day, meter_id, after=after, limit=1000)
        for event in page.events:
            yield (
                event.event_id,
                event.occurred_at.astimezone(zone),
                event.quantity,
                event.corrects,
                event.replaced_by,
            )
        if not page.following:
            return
        after = page.last
