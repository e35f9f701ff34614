"""Bars of a month's days as SVG: presentation attributes and classes only, so that a strict CSP holds.

Widths are percentages and heights pixels: the picture follows its column, its words keep their size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from html import escape

from django.utils.safestring import SafeString, mark_safe

from core.money import quantity_written

_TOP, _BASE, _HEIGHT = 22, 142, 166
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
# A level far above every bar would press them flat; it is then told in words alone.
_LEVEL_SHOWN_UP_TO = 3


@dataclass(frozen=True, slots=True)
class Series:
    """What a chart draws: one value a day from the first of the month on.

    `days`: their names, escaped. `written`: the values as the table beneath writes them.
    `level`: a line to compare each day with. `over_from`: index of the day from which bars stand
    for usage over what is included.
    """

    name: str
    days: Sequence[str]
    values: Sequence[Decimal]
    written: Sequence[str]
    level: Decimal | None = None
    over_from: int | None = None


def figure(title: str, note: str, series: Series) -> SafeString:
    """Return the picture under its title and a note (may be empty). It stands over its table."""
    told = f' <span class="chart__note">{escape(note)}</span>' if note else ""
    return mark_safe(  # noqa: S308 - the words are escaped, the picture is made below
        f'<figure class="chart"><figcaption class="chart__title">{escape(title)}{told}</figcaption>'
        f"{bars(series)}</figure>"
    )


def bars(series: Series) -> SafeString:
    """Return the picture of a month's days, each bar with its day and quantity as a title."""
    ceiling = _ceiling(series)
    floor = _nice(-min(series.values, default=Decimal(0)))
    span = ceiling + floor
    scale = (_BASE - _TOP) / float(span) if span else 0.0
    ground = _TOP + float(ceiling) * scale if span else float(_BASE)
    parts = [
        f'<svg class="chart__picture" width="100%" height="{_HEIGHT}" role="img"',
        f' aria-label="{escape(series.name)}">',
        *_grid(ceiling, ground),
        *_bars(series, ground, scale),
        f'<line class="chart__ground" x1="0" x2="100%" y1="{ground:.1f}" y2="{ground:.1f}"/>',
        *_lines(series, ceiling, ground, scale),
        *_days(len(series.values)),
        "</svg>",
    ]
    return mark_safe("".join(parts))  # noqa: S308 - every text above is escaped, the rest are numbers


def _ceiling(series: Series) -> Decimal:
    highest = max(series.values, default=Decimal(0))
    level = series.level
    if level is not None and level <= highest * _LEVEL_SHOWN_UP_TO:
        highest = max(highest, level)
    return _nice(highest)


def _nice(value: Decimal) -> Decimal:
    """Return the next round number (1, 2, 2.5 or 5 times a power of ten) that holds `value`."""
    if value <= 0:
        return Decimal(0)
    power = Decimal(1).scaleb(value.adjusted())
    return next(step * power for step in _STEPS if step * power >= value)


def _grid(ceiling: Decimal, ground: float) -> list[str]:
    if not ceiling:
        return []
    middle = (_TOP + ground) / 2
    return [
        f'<line class="chart__grid" x1="0" x2="100%" y1="{_TOP}" y2="{_TOP}"/>',
        f'<line class="chart__grid" x1="0" x2="100%" y1="{middle:.1f}" y2="{middle:.1f}"/>',
        f'<text class="chart__text" x="0" y="{_TOP - 7}">{quantity_written(ceiling)}</text>',
    ]


def _bars(series: Series, ground: float, scale: float) -> list[str]:
    over_from = len(series.values) if series.over_from is None else series.over_from
    places = _places(len(series.values))
    days, written = series.days, series.written
    parts = []
    for index, value in enumerate(map(float, series.values)):
        if not value:
            continue
        height = max(abs(value) * scale, 1.0)
        top = ground - height if value > 0 else ground
        kind = "chart__bar chart__bar--over" if index >= over_from else "chart__bar"
        parts.append(
            f'<rect class="{kind}" {places[index]} y="{top:.1f}" height="{height:.1f}" rx="1">'
            f"<title>{days[index]}: {written[index]}</title></rect>"
        )
    return parts


@lru_cache(maxsize=40)
def _places(count: int) -> list[str]:
    """Return where each of `count` bars stands and how wide it is."""
    width = 72 / count if count else 0
    return [f'x="{(index * 100 + 14) / count:.2f}%" width="{width:.2f}%"' for index in range(count)]


def _lines(series: Series, ceiling: Decimal, ground: float, scale: float) -> list[str]:
    parts = []
    if series.level is not None and 0 < series.level <= ceiling:
        y = ground - float(series.level) * scale
        parts.append(f'<line class="chart__level" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
    if series.over_from is not None:
        x = series.over_from * 100 / len(series.values)
        parts.append(
            f'<line class="chart__level" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_TOP}" y2="{ground:.1f}"/>'
        )
    return parts


@lru_cache(maxsize=40)
def _days(count: int) -> list[str]:
    return [
        f'<text class="chart__text" x="{(day - 0.5) * 100 / count:.2f}%" y="{_HEIGHT - 4}" '
        f'text-anchor="{"end" if day == count else "middle"}" dx="{6 if day == count else 0}">{day}</text>'
        for day in (1, 8, 15, 22, count)
        if day <= count and (day == count or count - day > 2)
    ]
