"""The seat timeline as SVG over a table that says the same: classes and presentation attributes only.

Widths are percentages and heights pixels: the picture follows its column, its words keep their size.
Rule: design.md 6.4, look.md 1.7 and 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from itertools import groupby

from babel.dates import format_date
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Organisation
from core import words
from core.months import BillingMonth, last_day, months_between
from ordering.views.consequences import period
from seats.queries import timeline
from seats.queries.timeline import Shown
from seats.rules.capacity import Capacity
from seats.rules.seat_timeline import WISHED, Segment

# More rows than this fold away beneath the picture.
_ROWS_SHOWN = 12
_MOST_ENDS = 6
_MOST_MONTHS = 6
_ROW, _PLOT, _AXIS = 18, 150, 40
_STEPS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: `first_on` and `end_on` for who reads the numbers; `spots` is empty for none."""

    period: str
    main: str
    spots: str
    allowed: str
    in_use: str
    is_planned: bool


@dataclass(frozen=True, slots=True)
class Key:
    """What a drawn thing stands for."""

    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class TimelineShown:
    """The timeline as a page shows it. `sentence`: in place of the picture, where nothing limits."""

    sentence: str
    picture: SafeString
    keys: Sequence[Key]
    rows: Sequence[Row]
    is_long: bool


@dataclass(frozen=True, slots=True)
class _End:
    """A coming end, in words, and the day from which it no longer holds."""

    on: date
    text: str


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a day and a number of accounts stand: in per cent and pixels."""

    first_on: date
    days: int
    top: int
    ceiling: int

    def x(self, day: date) -> float:
        return (day - self.first_on).days * 100 / self.days

    def y(self, accounts: int) -> float:
        return self.top + _PLOT * (1 - min(accounts, self.ceiling) / self.ceiling)


def shown(
    organisation: Organisation, *, now: datetime, capacity: Capacity | None = None
) -> TimelineShown:
    """Return an organisation's seat timeline. `capacity`: with what is only wished for."""
    return drawn(timeline.shown(organisation, now=now, capacity=capacity))


def drawn(found: Shown) -> TimelineShown:
    """Return a seat timeline as picture, key and table, in the reader's language."""
    segments = found.segments
    if all(each.allowed is None for each in segments):
        present = next(each for each in reversed(segments) if not each.is_planned)
        return TimelineShown(_unlimited(present.in_use), mark_safe(""), (), (), is_long=False)
    rows = [_row(each) for each in segments]
    return TimelineShown("", _picture(found), _keys(segments), rows, len(rows) > _ROWS_SHOWN)


def _unlimited(in_use: int) -> str:
    return ngettext(
        "Your plan does not limit the number of accounts; %(count)s account is in use.",
        "Your plan does not limit the number of accounts; %(count)s accounts are in use.",
        in_use,
    ) % {"count": f"{in_use:,}"}


def _row(segment: Segment) -> Row:
    in_use = f"{segment.in_use:,}"
    if segment.is_planned:
        in_use = _("%(count)s (planned)") % {"count": in_use}
    return Row(
        period=period(segment.first_on, segment.end_on),
        main=_number(segment.main),
        spots=" + ".join(_spot(order_id, accounts) for order_id, accounts in segment.spots),
        allowed=_number(segment.allowed),
        in_use=in_use,
        is_planned=segment.is_planned,
    )


def _number(accounts: int | None) -> str:
    return _("no limit") if accounts is None else f"{accounts:,}"


def _spot(order_id: int, accounts: int) -> str:
    if order_id == WISHED:
        return _("%(count)s (not ordered yet)") % {"count": f"{accounts:,}"}
    return f"{accounts:,}"


def _keys(segments: Sequence[Segment]) -> list[Key]:
    orders = {order_id for each in segments for order_id, _accounts in each.spots}
    keys = [Key("main", _("main contract"))]
    if orders - {WISHED}:
        keys.append(Key("spot", _("spot contracts")))
    if WISHED in orders:
        keys.append(Key("wish", _("this spot, not ordered yet")))
    return [*keys, Key("use", _("in use; ahead: today's accounts without those who leave"))]


def _picture(found: Shown) -> SafeString:
    segments = found.segments
    ends = _ends(found)
    first_on, end_on = segments[0].first_on, segments[-1].end_on
    # The words stand above the plot, each on a line of its own: none can hide another.
    top = _ROW * (len(ends) + 1) + 24
    most = max(max(each.in_use, each.allowed or 0) for each in segments)
    scale = _Scale(first_on, (end_on - first_on).days, top, _ceiling(most))
    height = top + _PLOT + _AXIS
    parts = [
        f'<svg class="seats__picture" width="100%" height="{height}" role="img"',
        f' aria-label="{escape(_name(segments))}">',
        *_ground(scale),
        *_areas(segments, scale),
        *_months(first_on, end_on, scale),
        *_marks(found.today, ends, scale),
        *_use(segments, scale),
        *_labels(segments, scale),
        "</svg>",
    ]
    return mark_safe("".join(parts))  # noqa: S308 - every text above is escaped, the rest are numbers


def _name(segments: Sequence[Segment]) -> str:
    return _("Accounts allowed and in use, %(period)s. The table says the same.") % {
        "period": period(segments[0].first_on, segments[-1].end_on)
    }


def _ceiling(most: int) -> int:
    """Return the next round number that holds `most`."""
    power = int(f"1{'0' * (len(str(max(most, 1))) - 1)}")
    return next(step * power for step in _STEPS if step * power >= max(most, 1))


def _ground(scale: _Scale) -> Iterator[str]:
    y = scale.y(0)
    yield f'<line class="seats__ground" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'


def _areas(segments: Sequence[Segment], scale: _Scale) -> Iterator[str]:
    """Yield the stacked steps, each run of equal ones as one."""
    for run in _runs(segments):
        first, end_on = run[0], run[-1].end_on
        floor = 0
        main = scale.ceiling if first.main is None else first.main
        layers = [("main", main, first.main)]
        layers += [("wish" if order_id == WISHED else "spot", n, n) for order_id, n in first.spots]
        for kind, accounts, said in layers:
            if not accounts:
                continue
            y, bottom = scale.y(floor + accounts), scale.y(floor)
            said_as = "" if said is None else str(said)
            yield (
                f'<rect class="seats__area seats__area--{kind}" x="{scale.x(first.first_on):.3f}%"'
                f' width="{scale.x(end_on) - scale.x(first.first_on):.3f}%" y="{y:.1f}"'
                f' height="{bottom - y:.1f}" data-part="{kind}" data-from="{first.first_on}"'
                f' data-until="{end_on}" data-accounts="{said_as}"/>'
            )
            floor += accounts


def _runs(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Return segments with those together, in order, that allow the same."""
    return [list(run) for _key, run in groupby(segments, lambda each: (each.main, each.spots))]


def _use(segments: Sequence[Segment], scale: _Scale) -> Iterator[str]:
    before: Segment | None = None
    for each in segments:
        kind = "seats__use seats__use--planned" if each.is_planned else "seats__use"
        x, y = scale.x(each.first_on), scale.y(each.in_use)
        if before is not None and before.in_use != each.in_use:
            yield (
                f'<line class="{kind}" x1="{x:.3f}%" x2="{x:.3f}%" y1="{scale.y(before.in_use):.1f}"'
                f' y2="{y:.1f}"/>'
            )
        yield (
            f'<line class="{kind}" x1="{x:.3f}%" x2="{scale.x(each.end_on):.3f}%" y1="{y:.1f}"'
            f' y2="{y:.1f}" data-from="{each.first_on}" data-until="{each.end_on}"'
            f' data-in-use="{each.in_use}"/>'
        )
        before = each


def _labels(segments: Sequence[Segment], scale: _Scale) -> Iterator[str]:
    """Yield how many are allowed, over each step that has the room for it."""
    for run in _runs(segments):
        left, right = scale.x(run[0].first_on), scale.x(run[-1].end_on)
        text = _number(run[0].allowed)
        if right - left < 3 * len(text):
            continue
        allowed = scale.ceiling if run[0].allowed is None else run[0].allowed
        yield (
            f'<text class="seats__text seats__text--step" x="{(left + right) / 2:.2f}%"'
            f' y="{scale.y(allowed) - 5:.1f}" text-anchor="middle">{escape(text)}</text>'
        )


def _marks(today: date, ends: Sequence[_End], scale: _Scale) -> Iterator[str]:
    base = scale.top + _PLOT
    yield from _mark(_("today"), scale.x(today), 0, base, "today")
    for line, end in enumerate(ends, start=1):
        yield from _mark(end.text, scale.x(end.on), line, base, "end")


def _mark(text: str, x: float, line: int, base: int, kind: str) -> Iterator[str]:
    y = _ROW * (line + 1) - 5
    anchor, shift = ("end", -5) if x > 50 else ("start", 5)
    yield (
        f'<line class="seats__mark seats__mark--{kind}" x1="{x:.3f}%" x2="{x:.3f}%" y1="{y - 10}"'
        f' y2="{base}"/>'
    )
    yield (
        f'<text class="seats__text seats__text--{kind}" x="{x:.3f}%" y="{y}" dx="{shift}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )


def _months(first_on: date, end_on: date, scale: _Scale) -> Iterator[str]:
    months = months_between(BillingMonth.of_day(first_on), BillingMonth.of_day(last_day(end_on)))
    every = -(-len(months) // _MOST_MONTHS)
    ja = words.current().is_japanese
    year = 0
    for month in months[::every]:
        x, y = scale.x(month.first_day), scale.top + _PLOT
        name = format_date(month.first_day, "M月" if ja else "MMM", locale="ja" if ja else "en")
        yield f'<line class="seats__ground" x1="{x:.3f}%" x2="{x:.3f}%" y1="{y}" y2="{y + 5}"/>'
        # The last one may stand at the very edge.
        where = f'x="{x:.3f}%" dx="3"' if x < 90 else 'x="100%" text-anchor="end"'
        yield f'<text class="seats__text" {where} y="{y + 17}">{name}</text>'
        if month.year != year:
            year = month.year
            said = f"{year}年" if ja else str(year)
            yield f'<text class="seats__text" {where} y="{y + 33}">{said}</text>'


def _ends(found: Shown) -> list[_End]:
    """Return what ends within the picture, the soonest first; the wished spot's end too."""
    capacity, zone = found.capacity, found.zone
    listed: list[_End] = []
    for spot in capacity.spots:
        on = spot.until_at.astimezone(zone).date()
        what = _("this spot") if spot.order_id == WISHED else _("spot")
        values = {"what": what, "count": f"{spot.accounts:,}", "day": _short(last_day(on))}
        listed.append(_End(on, _("%(what)s +%(count)s until %(day)s") % values))
    for main in capacity.main:
        if main.until_at is not None and _allows_less(capacity, main.until_at):
            on = main.until_at.astimezone(zone).date()
            values = {"day": _short(last_day(on))}
            listed.append(_End(on, _("main contract until %(day)s") % values))
    if capacity.closed_at is not None:
        on = capacity.closed_at.astimezone(zone).date()
        listed.append(_End(on, _("your contract ends on %(day)s") % {"day": _short(last_day(on))}))
    last = found.segments[-1].end_on
    coming = [each for each in listed if found.today < each.on < last]
    return sorted(coming, key=lambda each: each.on)[:_MOST_ENDS]


def _allows_less(capacity: Capacity, border: datetime) -> bool:
    now, before = capacity.main_at(border), capacity.main_before(border)
    return now is not None and (before is None or now < before)


def _short(day: date) -> str:
    ja = words.current().is_japanese
    return format_date(day, "M月d日" if ja else "d MMM", locale="ja" if ja else "en")
