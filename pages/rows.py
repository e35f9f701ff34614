"""The bodies of the usage page's tables, each handed to the template as one string.

Localising and escaping cells one by one in a template costs a page more than its queries
(performance.md B); so each text is escaped here, once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from django.utils.safestring import SafeString, mark_safe

from core.words import Words

NONE = "–"


@dataclass(frozen=True, slots=True)
class MeterRow:
    """A meter's line of the table, in words."""

    name: str
    unit: str
    included: str
    used: str
    over: str
    before: str
    amount: str
    late: str
    steps: Sequence[str]


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A line that is no meter's of this month: a fee, an adjustment, a credit."""

    name: str
    amount: str
    steps: Sequence[str]


def of_meters(rows: Sequence[MeterRow], before: str, _: Words) -> SafeString:
    """Return a row per meter. `before` names the month to compare with; empty: there is none."""
    included, used, over = escape(_("Included")), escape(_("Used")), escape(_("Over"))
    month, amount = escape(before), escape(_("Amount (net)"))
    return joined(
        f'<tr><th scope="row">{escape(row.name)}{_unit(row.unit)}{_late(row.late, _)}'
        f"{_steps(row.steps, row.name, _)}</th>{_cell(included, row.included)}{_cell(used, row.used)}"
        f"{_cell(over, row.over)}{_cell(month, row.before) if before else ''}"
        f"{_cell(amount, row.amount)}</tr>"
        for row in rows
    )


def of_others(rows: Sequence[OtherRow], columns: int, _: Words) -> SafeString:
    """Return a row per line without a quantity; its name spans `columns`."""
    amount = escape(_("Amount (net)"))
    return joined(
        f'<tr><th scope="row" colspan="{columns}">{escape(row.name)}{_steps(row.steps, row.name, _)}'
        f"</th>{_cell(amount, row.amount)}</tr>"
        for row in rows
    )


def of_days(days: Sequence[str], columns: Sequence[Sequence[str]]) -> SafeString:
    """Return a row per day, with a cell of each column; days are escaped, quantities written numbers."""
    return joined(
        f'<tr><th scope="row">{day}</th>'
        + "".join([f'<td class="table__number">{column[index]}</td>' for column in columns])
        + "</tr>"
        for index, day in enumerate(days)
    )


def heads(columns: Sequence[tuple[str, str]]) -> SafeString:
    """Return the heads of the days' columns: a meter's name and unit."""
    return joined(
        f'<th scope="col" class="table__number">{escape(name)}{_unit(unit)}</th>'
        for name, unit in columns
    )


def foot(
    net: str, taxes: Sequence[tuple[str, str]], gross: str, _: Words, *, columns: int
) -> SafeString:
    """Return what the rows add up to: net, the tax of each rate, total."""
    sums = [(_("Net"), net), *taxes]
    total = escape(_("Total (tax included)"))
    begin = f'<th scope="row" colspan="{columns}">'
    return joined(
        [
            *(
                f'<tr>{begin}{escape(label)}</th><td class="table__number">{escape(amount)}</td></tr>'
                for label, amount in sums
            ),
            f'<tr class="table__total">{begin}{total}</th>',
            f'<td class="table__number">{escape(gross)}</td></tr>',
        ]
    )


def options(choices: Sequence[tuple[int, str]], *, chosen: int | None) -> SafeString:
    """Return the options of a select field, with the chosen one marked."""
    return joined(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(label)}</option>'
        for value, label in choices
    )


def joined(parts: Iterable[str]) -> SafeString:
    """Return parts whose texts are escaped as one that a template writes as it is."""
    return mark_safe("".join(parts))  # noqa: S308 - the callers escape every text


def _cell(label: str, text: str) -> str:
    return f'<td class="table__number" data-label="{label}">{escape(text)}</td>'


def _unit(unit: str) -> str:
    return f' <span class="table__unit">{escape(unit)}</span>' if unit else ""


def _late(quantity: str, _: Words) -> str:
    if not quantity:
        return ""
    told = _("%(quantity)s came in after the bill and is settled by an adjustment of a later one.")
    return f'<br><span class="table__unit">{escape(told % {"quantity": quantity})}</span>'


def _steps(steps: Sequence[str], name: str, _: Words) -> str:
    if not steps:
        return ""
    how = escape(_("how it was computed"))
    listed = "".join([f"<li>{escape(step)}</li>" for step in steps])
    return (
        '<details class="explanation"><summary class="explanation__open">'
        f'{how}<span class="visually-hidden">: {escape(name)}</span>'
        f'</summary><ul class="explanation__steps">{listed}</ul></details>'
    )
