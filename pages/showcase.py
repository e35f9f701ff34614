"""What the component page shows: every component in every state, with made-up words and numbers."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.money import quantity_written
from pages import rows
from pages.charts import Series, figure
from pages.context import Item

_VALUES = [Decimal(value * value % 83 * 1000 + 9000) for value in range(1, 31)]
_DAYS = [format_html("{} Nov", day) for day in range(1, 31)]


def _chart(
    title: str,
    note: str,
    values: Sequence[Decimal],
    *,
    level: Decimal | None = None,
    over_from: int | None = None,
) -> SafeString:
    written = [quantity_written(value) for value in values]
    return figure(title, note, Series(title, _DAYS, values, written, level, over_from))


class ExampleForm(forms.Form):
    email = forms.EmailField(label="E-mail address", help_text="You sign in with it.")
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    months = forms.ChoiceField(label="Months", choices=[(1, "1"), (2, "2")])
    agree = forms.BooleanField(label="I agree to the Terms of Use")


def everything(request: HttpRequest) -> dict[str, Any]:
    """Return the variables of the component page."""
    here = request.path
    return {
        "forms": [
            ExampleForm(auto_id="a_%s"),
            ExampleForm({"email": "no address"}, auto_id="b_%s"),
        ],
        "tabs": [Item("Usage", here, is_current=True), Item("Contract details", here)],
        "badges": [
            ("accent", "provisional"),
            ("good", "final"),
            ("", "under review"),
            ("warn", "ends in 12 days"),
            ("bad", "overdue"),
        ],
        "columns": [
            {"label": "Meter", "is_number": False},
            {"label": "Used", "is_number": True},
            {"label": "Amount (net)", "is_number": True},
        ],
        "rows": [["API calls", "1,204,331", "¥2,043"], ["Active devices", "87", "−¥40"]],
        "page": Paginator(range(150), 50).page(2),
        "charts": [
            _chart("Plain", "", _VALUES),
            _chart("A level", "included: 60,000", _VALUES, level=Decimal(60_000)),
            _chart("Included, and reached", "reached on 19 Nov", _VALUES, over_from=18),
            _chart("A correction", "", [*_VALUES[:12], Decimal(-30_000), *_VALUES[13:]]),
            _chart("Nothing yet", "", [Decimal(0)] * 30),
        ],
        "years": rows.options([(2025, "2025"), (2026, "2026")], chosen=2026),
        "months": rows.options([(10, "October"), (11, "November")], chosen=11),
        "earlier": Item("October", here),
    }
