"""A month's view as rows for a spreadsheet."""

from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import get_language

from billing.queries.month_view import MonthView
from core.money import exponent
from core.spreadsheet import Cell

Rows = Sequence[Sequence[Cell]]


def days(view: MonthView) -> Rows:
    """Return a row per day and meter that has usage: the chart's and the table's numbers."""
    ja = get_language() == "ja"
    rows: list[list[Cell]] = [["day", "meter", "name", "unit", "quantity"]]
    for day in view.days:
        for each in view.meters:
            if day in each.daily:
                name = each.meter.name_ja if ja else each.meter.name_en
                unit = each.meter.unit_ja if ja else each.meter.unit_en
                rows.append([day, each.meter.code, name, unit, each.daily[day]])
    return rows


def amounts(view: MonthView) -> Rows:
    """Return a row per line of the month's bill, then its tax and its total."""
    ja = get_language() == "ja"
    head: list[Cell] = ["month", "state", "kind", "meter", "name", "quantity", "amount", "currency"]
    first: list[Cell] = [str(view.month), view.state.value]
    lines: list[list[Cell]] = [
        [
            line.kind.value,
            line.meter.code if line.meter else "",
            line.name_ja if ja else line.name_en,
            line.quantity,
            _major(line.net, view),
        ]
        for line in view.lines
    ]
    taxes: list[list[Cell]] = [
        ["tax", "", tax.code.value, tax.rate, _major(tax.tax, view)] for tax in view.taxes
    ]
    total: list[Cell] = ["total", "", "", None, _major(view.gross, view)]
    return [head, *([*first, *row, view.currency] for row in [*lines, *taxes, total])]


def _major(amount: int, view: MonthView) -> Decimal:
    return Decimal(amount).scaleb(-exponent(view.currency))
