"""Spot orders in the back office: to be read. What becomes of one is its payment's matter. Rule: R12."""

from datetime import date

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from core import money
from core.admin import ReadOnly
from core.months import last_day
from spot_orders.models import SpotOrder


@admin.register(SpotOrder)
class SpotOrderAdmin(ReadOnly):
    list_display = [
        *("number", "organisation", "state", "accounts", "first_on", "last_on", "total"),
        *("placed_at", "lapses_at", "paid_at"),
    ]
    list_select_related = ["organisation"]
    list_filter = ["state"]
    list_per_page = 50
    search_fields = ["=number", "organisation__reference", "organisation__name"]
    search_help_text = gettext_lazy("Number, or reference or name of the organisation")
    ordering = ["-placed_at", "-id"]
    show_full_result_count = False
    fields = [
        *("number", "organisation", "state", "accounts", "first_on", "months", "last_on", "cut_on"),
        *("price", "net_amount", "tax_amount", "total", "tax_code", "tax_rounding", "terms"),
        *("placed_at", "placed_by", "lapses_at", "paid_at", "closed_at", "closed_why"),
        *("replaced_by", "ended_at", "public_id"),
    ]

    @admin.display(description=gettext_lazy("last day"), ordering="end_on")
    def last_on(self, order: SpotOrder) -> date:
        return last_day(order.end_on)

    @admin.display(description=gettext_lazy("total, tax included"), ordering="gross")
    def total(self, order: SpotOrder) -> str:
        return money.written(order.gross, order.currency)

    @admin.display(description=gettext_lazy("net"))
    def net_amount(self, order: SpotOrder) -> str:
        return money.written(order.net, order.currency)

    @admin.display(description=gettext_lazy("tax"))
    def tax_amount(self, order: SpotOrder) -> str:
        return money.written(order.tax, order.currency)

    @admin.display(description=gettext_lazy("by month, net"))
    def price(self, order: SpotOrder) -> SafeString:
        """Return each month from its first day: steps × price of one, as frozen. Rule: S2-07."""
        rows = format_html_join(
            "",
            "<li>{}: {} × {}</li>",
            (
                (first_on, steps, money.written(unit_net, order.currency))
                for first_on, _version, steps, unit_net in order.priced
            ),
        )
        return format_html("<ul>{}</ul>", rows)
