"""How plans are put into words. Rule: S1-13, S1-22, look.md 3 and 4."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from core import words
from core.money import quantity_written, unit_price_written, written
from core.months import BillingMonth, last_day
from core.templatetags.writing import day, money_in_text, month
from ordering.rules.binding import Party
from ordering.rules.prices import price
from plans.enums import Category
from plans.rules import Meter, MeterTerms, PlanTerms
from plans.rules.price_changes import first_day
from plans.rules.timeline import Span, Timeline, fee_at, is_older


@dataclass(frozen=True, slots=True)
class PlanShown:
    """What is contracted of one category; `name` is empty where nothing is.

    `includes`: what the fee covers; `notes`: from when which fee is billed, what is to follow when.
    """

    category: str
    label: str
    change: str
    name: str
    gross: str
    net: str
    is_free: bool
    includes: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Cell:
    """What a plan says of a meter: included, and what more costs."""

    meter: str
    included: str
    over: str


@dataclass(frozen=True, slots=True)
class OfferShown:
    """A plan to choose. `gross` is empty for a free one; `accounts` where it limits none."""

    code: str
    name: str
    is_current: bool
    is_withdrawn: bool
    gross: str
    net: str
    accounts: str
    cells: Sequence[Cell]


_LABELS = {
    Category.LICENCE: lambda: (_("Licence plan"), _("Change the licence plan")),
    Category.SUPPORT: lambda: (_("Support plan"), _("Change the support plan")),
}


def name(terms: PlanTerms, steps: int) -> str:
    """Return a plan's name with its accounts, as its bills say it: Starter 200."""
    accounts = terms.accounts_per_step * steps if terms.accounts_per_step else None
    return f"{_plan(terms)} {accounts}" if accounts else _plan(terms)


def plan(
    category: Category, timeline: Timeline, party: Party, *, now: datetime, zone: ZoneInfo
) -> PlanShown:
    """Return what a timeline has of a category now, and what is to follow."""
    label, change = _LABELS[category]()
    present = timeline.at(category, now)
    if present is None:
        return PlanShown(
            category.value,
            label,
            change,
            "",
            "",
            "",
            False,
            (),
            _pending(category, timeline, party, now, zone),
        )
    terms, steps = present.terms, present.steps
    cost = price(terms, steps, party, BillingMonth.containing(now, zone))
    return PlanShown(
        category=category.value,
        label=label,
        change=change,
        name=name(terms, steps),
        gross=written(cost.gross, party.currency),
        net=written(cost.net, party.currency),
        is_free=terms.is_free,
        includes=_includes(present),
        notes=(
            *_fees(category, timeline, party, now, zone),
            *_pending(category, timeline, party, now, zone),
        ),
    )


def meter(of: Meter) -> str:
    """Return a meter's name."""
    return of.name_ja if words.current().is_japanese else of.name_en


def offer(
    terms: PlanTerms,
    steps: int,
    meters: Iterable[Meter],
    party: Party,
    month: BillingMonth,
    *,
    is_current: bool,
    is_withdrawn: bool,
) -> OfferShown:
    """Return a plan as one of those to choose from, for so many steps."""
    cost = price(terms, steps, party, month)
    promised = {each.meter.id: each for each in terms.meters}
    accounts = terms.accounts_per_step
    return OfferShown(
        code=terms.plan_code,
        name=_plan(terms),
        is_current=is_current,
        is_withdrawn=is_withdrawn,
        gross="" if terms.is_free else written(cost.gross, party.currency),
        net=written(cost.net, party.currency),
        accounts="" if accounts is None else f"{accounts * steps:,}",
        cells=[_cell(each, promised.get(each.id), party.currency) for each in meters],
    )


def _plan(terms: PlanTerms) -> str:
    return terms.name_ja if words.current().is_japanese else terms.name_en


def _quantity(each: MeterTerms) -> str:
    unit = each.meter.unit_ja if words.current().is_japanese else each.meter.unit_en
    space = "" if words.current().is_japanese else " "
    return f"{quantity_written(each.included)}{space if unit else ''}{unit}"


def _includes(span: Span) -> list[str]:
    found = []
    if span.accounts is not None:
        found.append(_("%(number)s accounts") % {"number": f"{span.accounts:,}"})
    found += [
        _("%(meter)s: %(quantity)s") % {"meter": meter(each.meter), "quantity": _quantity(each)}
        for each in span.terms.meters
    ]
    return found


def _fees(
    category: Category, timeline: Timeline, party: Party, now: datetime, zone: ZoneInfo
) -> list[str]:
    """Say where this month still carries another fee than what is in force now. Rule: S1-26."""
    this = BillingMonth.containing(now, zone)
    present = timeline.at(category, now)
    spans = timeline.of(category)
    billed, coming = (fee_at(spans, each.starts_at(zone)) for each in (this, this.next))
    if present is None or _is_same(billed, present) or not _is_same(coming, present):
        return []
    fee = _fee(present, party, this.next)
    if billed is None:
        text = _("%(month)s carries no fee of it. From %(next)s on, it is billed with %(fee)s.")
        return [text % {"month": month(this), "next": month(this.next), "fee": fee}]
    text = _(
        "%(month)s is still billed as %(plan)s with %(old)s. From %(next)s on, it is billed with"
        " %(fee)s."
    )
    named = {
        "month": month(this),
        "plan": name(billed.terms, billed.steps),
        "old": _fee(billed, party, this),
        "next": month(this.next),
        "fee": fee,
    }
    return [text % named]


def _pending(
    category: Category, timeline: Timeline, party: Party, now: datetime, zone: ZoneInfo
) -> tuple[str, ...]:
    """Say what follows, and from which day. Rule: S1-13."""
    spans = timeline.of(category)
    found = []
    for previous, span in zip((None, *spans), spans, strict=False):
        if span.from_at > now:
            on = first_day(span, zone)
            named = {"day": day(on), "plan": name(span.terms, span.steps)}
            if previous is not None and is_older(previous, span.terms):
                named |= {
                    "old": _fee(previous, party, BillingMonth.of_day(on)),
                    "fee": _fee(span, party, BillingMonth.of_day(on)),
                }
                text = _("From %(day)s: %(plan)s at new terms, %(old)s → %(fee)s") % named
            else:
                text = _("From %(day)s: %(plan)s") % named
            found.append(text)
    last = spans[-1] if spans else None
    if last is not None and last.until_at is not None and last.until_at > now:
        ends = last_day(last.until_at.astimezone(zone).date())
        found.append(_("Ends on %(day)s.") % {"day": day(ends)})
    return tuple(found)


def _fee(span: Span, party: Party, of: BillingMonth) -> str:
    return money_in_text(price(span.terms, span.steps, party, of).gross, party.currency)


def _is_same(one: Span | None, other: Span) -> bool:
    return (
        one is not None
        and one.terms.version_id == other.terms.version_id
        and one.steps == other.steps
    )


def _cell(of: Meter, promised: MeterTerms | None, currency: str) -> Cell:
    if promised is None:
        return Cell(meter(of), _("not charged"), "")
    included = _("%(quantity)s included") % {"quantity": _quantity(promised)}
    return Cell(meter(of), included, _over(promised, currency))


def _over(promised: MeterTerms, currency: str) -> str:
    """Say what each unit over the included quantity costs, tier by tier, net. Rule: B-04."""
    tiers = promised.tiers
    if not tiers:
        return _("more is free")
    priced = [unit_price_written(tier.unit_price, currency) for tier in tiers]
    if len(tiers) == 1:
        return _("then %(price)s each") % {"price": priced[0]}
    parts = [
        _("%(price)s up to %(units)s over")
        % {"price": each, "units": quantity_written(tier.last_unit)}
        for each, tier in zip(priced, tiers, strict=True)
        if tier.last_unit is not None
    ]
    return _("then %(steps)s, then %(price)s each") % {
        "steps": _(", ").join(parts),
        "price": priced[-1],
    }
