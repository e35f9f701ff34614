"""A month's view as tables for a spreadsheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import get_language

from billing.queries.month_view import MonthView
from core.money import exponent
from core.tables import Cell


@dataclass(frozen=True, slots=True)
class Sheet:
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def days(view: MonthView) -> Sheet:
    """Return a row per day and meter that has usage: the chart's and the table's numbers."""
    ja = get_language() == "ja"
    rows: list[list[Cell]] = []
    for day in view.days:
        for each in view.meters:
            if day in each.daily:
                name = each.meter.name_ja if ja else each.meter.name_en
                unit = each.meter.unit_ja if ja else each.meter.unit_en
                rows.append(
                    [day, each.meter.code, name, unit, _without_idle_zeros(each.daily[day])]
                )
    return Sheet(["day", "meter", "name", "unit", "quantity"], rows)


def amounts(view: MonthView) -> Sheet:
    """Return a row per line of the month's bill, then its tax and its total, in major units."""
    ja = get_language() == "ja"
    first: list[Cell] = [str(view.month), view.state.value]
    lines: list[list[Cell]] = [
        [
            line.kind.value,
            line.meter.code if line.meter else "",
            line.name_ja if ja else line.name_en,
            _without_idle_zeros(line.quantity),
            _major(line.net, view),
        ]
        for line in view.lines
    ]
    taxes: list[list[Cell]] = [
        ["tax", "", tax.code.value, tax.rate, _major(tax.tax, view)] for tax in view.taxes
    ]
    total: list[Cell] = ["total", "", "", None, _major(view.gross, view)]
    return Sheet(
        ["month", "state", "kind", "meter", "name", "quantity", "amount", "currency"],
        [[*first, *row, view.currency] for row in [*lines, *taxes, total]],
    )


def _without_idle_zeros(quantity: Decimal) -> Decimal:
    # normalize() would round a long quantity to the context's 28 digits.
    text = f"{quantity:f}"
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else quantity


def _major(amount: int, view: MonthView) -> Decimal:
    return Decimal(amount).scaleb(-exponent(view.currency))
