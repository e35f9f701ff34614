"""How a line came to its amount, step by step, in the reader's language.

The steps are read from the explanation that the kernel made with the amount; nothing is recomputed.
"""

from collections.abc import Sequence
from typing import assert_never

from billing.rules import explanations
from billing.rules.explanations import (
    AdjustmentWhy,
    CreditWhy,
    FeeWhy,
    LineBackWhy,
    RateBackWhy,
    SpotWhy,
    TierWhy,
    UsageWhy,
)
from billing.rules.facts import Line
from core.money import quantity_written, unit_price_written
from core.money import written as money_written
from core.templatetags import writing
from core.words import Words


def steps(line: Line, currency: str, _: Words) -> Sequence[str]:
    """Return the sentences that lead to a line's amount, for a reader of those words."""
    why = explanations.parse(line.explanation)
    match why:
        case FeeWhy():
            return _fee(why, line, currency, _)
        case UsageWhy():
            return _usage(why, line.net, currency, _)
        case AdjustmentWhy():
            return _adjustment(why, line, currency, _)
        case CreditWhy():
            return _credit(why, _)
        case SpotWhy() | LineBackWhy() | RateBackWhy():
            # Of a spot invoice's and a credit note's lines, which no month's view holds.
            return ()
    assert_never(why)


def _fee(why: FeeWhy, line: Line, currency: str, _: Words) -> list[str]:
    return [
        _("%(steps)s × %(price)s a month = %(amount)s")
        % {
            "steps": why.steps,
            "price": money_written(why.unit_net, currency),
            "amount": money_written(line.net, currency),
        },
        _("The plan in force when %(day)s began decides about the month.")
        % {"day": writing.day(why.in_force_at)},
    ]


def _usage(why: UsageWhy, net: int, currency: str, _: Words) -> list[str]:
    if why.included is None or why.over is None:
        return [_("The plan has no price for it, so it is shown and not charged.")]
    told = [
        _("%(used)s used − %(included)s included = %(over)s over")
        % {
            "used": quantity_written(why.used),
            "included": quantity_written(why.included),
            "over": quantity_written(why.over),
        }
    ]
    told += [_tier(tier, currency, _, is_only=len(why.tiers) == 1) for tier in why.tiers]
    if why.exact != net:
        told.append(_("rounded down, once: %(amount)s") % {"amount": money_written(net, currency)})
    return told


def _tier(tier: TierWhy, currency: str, _: Words, *, is_only: bool) -> str:
    written = {
        "units": quantity_written(tier.units),
        "price": unit_price_written(tier.unit_price, currency),
        "amount": unit_price_written(tier.amount, currency),
        "above": quantity_written(tier.above),
        "to": "" if tier.to is None else quantity_written(tier.to),
    }
    if is_only:
        return _("%(units)s × %(price)s = %(amount)s") % written
    if tier.to is None:
        return _("over %(above)s: %(units)s × %(price)s = %(amount)s") % written
    if not tier.above:
        return _("up to %(to)s: %(units)s × %(price)s = %(amount)s") % written
    return _("over %(above)s, up to %(to)s: %(units)s × %(price)s = %(amount)s") % written


def _adjustment(why: AdjustmentWhy, line: Line, currency: str, _: Words) -> list[str]:
    written = {
        "month": writing.month(why.month),
        "before": quantity_written(why.used_before),
        "now": quantity_written(why.used_now),
        "net_before": money_written(why.net_before, currency),
        "net_now": money_written(why.net_now, currency),
        "amount": money_written(line.net, currency),
    }
    return [
        _("Usage of %(month)s came in after its bill: %(before)s then, %(now)s now.") % written,
        *_usage(why.now, why.net_now, currency, _),
        _("%(net_now)s now − %(net_before)s billed before = %(amount)s") % written,
    ]


def _credit(why: CreditWhy, _: Words) -> list[str]:
    if why.brought:
        return [_("What the month before left over in your favour.")]
    return [_("A bill is never below zero: the rest in your favour goes to the next month.")]
