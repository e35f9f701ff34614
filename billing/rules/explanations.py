"""The stored explanation of a line, read back as values. `rating`, `spot` and `credits` write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from core.months import BillingMonth


class NotAnExplanation(ValueError):
    """What a line stores is none of the shapes that docs/rules.md lists."""


@dataclass(frozen=True, slots=True)
class FeeWhy:
    """`unit_net`: per month and step, minor units. `in_force_at`: the day whose plan decides (B-02)."""

    plan: str
    version: int
    steps: int
    unit_net: int
    accounts: int | None
    in_force_at: date


@dataclass(frozen=True, slots=True)
class SpotWhy:
    """Months of a spot order at one price: `steps` × `unit_net` × `months`, in minor units. Rule: S2-07.

    From `first_on` to `end_on` (half open), at the prices of the plan that holds when each begins.
    """

    order: str
    plan: str
    version: int
    accounts: int
    steps: int
    unit_net: int
    months: int
    first_on: date
    end_on: date

    @property
    def last_on(self) -> date:
        return self.end_on - timedelta(days=1)

    @property
    def month_net(self) -> int:
        return self.steps * self.unit_net


@dataclass(frozen=True, slots=True)
class TierWhy:
    """`above` (excluded) to `to` (included; None: no end), units over the included quantity.

    `unit_price` and `amount` in minor units, exact.
    """

    above: Decimal
    to: Decimal | None
    units: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class UsageWhy:
    """`exact`: the sum of the tiers before it is rounded down, once (B-04).

    `plan` and `version` are None where no licence was in force; `included` and `over` where the
    meter has no price.
    """

    plan: str | None
    version: int | None
    aggregation: str
    used: Decimal
    included: Decimal | None
    over: Decimal | None
    tiers: tuple[TierWhy, ...]
    exact: Decimal
    first_day: date
    last_day: date
    charged: bool


@dataclass(frozen=True, slots=True)
class AdjustmentWhy:
    """What a month's usage was rated at before, and is now (B-08). `net_…` in minor units."""

    month: BillingMonth
    used_before: Decimal
    used_now: Decimal
    net_before: int
    net_now: int
    now: UsageWhy


@dataclass(frozen=True, slots=True)
class CreditWhy:
    """Credit that comes from the month before, or goes to the next (B-08)."""

    brought: bool


@dataclass(frozen=True, slots=True)
class LineBackWhy:
    """A line of a credit note that gives back a whole line of its invoice: the one at `position`."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class RateBackWhy:
    """A line of a credit note that gives back a part of what its invoice billed at one rate (B-11).

    In minor units. `billed_…`: of the invoice; `gross_before`: given back by earlier notes; `tax`:
    what `gross_before` and `gross` together hold, less what `gross_before` holds.
    """

    tax_code: str
    rate: Decimal
    rounding: str
    billed_gross: int
    billed_tax: int
    gross_before: int
    gross: int
    tax: int
    reason: str

    @property
    def gross_now(self) -> int:
        return self.gross_before + self.gross

    @property
    def net(self) -> int:
        return self.gross - self.tax


Why = FeeWhy | SpotWhy | UsageWhy | AdjustmentWhy | CreditWhy | LineBackWhy | RateBackWhy


def parse(stored: Mapping[str, Any]) -> Why:
    """Return a line's stored explanation as a value. Raises NotAnExplanation."""
    try:
        return _parse(stored)
    except (KeyError, TypeError, ValueError, ArithmeticError) as fault:
        raise NotAnExplanation(repr(fault)) from fault


def order_of(stored: Mapping[str, Any]) -> str:
    """Return the number of the spot order that a line bills; empty for every other line."""
    return str(stored["order"]) if stored.get("kind") == "spot" else ""


def usage_of(why: Why) -> UsageWhy | None:
    """Return the rated usage behind a line: its own, or an adjustment's new one."""
    if isinstance(why, AdjustmentWhy):
        return why.now
    return why if isinstance(why, UsageWhy) else None


def _parse(stored: Mapping[str, Any]) -> Why:
    match stored["kind"]:
        case "fee":
            return FeeWhy(
                plan=stored["plan"],
                version=int(stored["version"]),
                steps=int(stored["steps"]),
                unit_net=int(stored["unit_net"]),
                accounts=None if stored["accounts"] is None else int(stored["accounts"]),
                in_force_at=date.fromisoformat(stored["in_force_at"]),
            )
        case "spot":
            return SpotWhy(
                order=stored["order"],
                plan=stored["plan"],
                version=int(stored["version"]),
                accounts=int(stored["accounts"]),
                steps=int(stored["steps"]),
                unit_net=int(stored["unit_net"]),
                months=int(stored["months"]),
                first_on=date.fromisoformat(stored["first_on"]),
                end_on=date.fromisoformat(stored["end_on"]),
            )
        case "usage":
            return _usage(stored)
        case "adjustment":
            return AdjustmentWhy(
                month=BillingMonth.parse(stored["month"]),
                used_before=Decimal(stored["used_before"]),
                used_now=Decimal(stored["used_now"]),
                net_before=int(stored["net_before"]),
                net_now=int(stored["net_now"]),
                now=_usage(stored["now"]),
            )
        case "credit_brought" | "credit_carried" as kind:
            return CreditWhy(brought=kind == "credit_brought")
        case "credit_of_line":
            return LineBackWhy(position=int(stored["position"]), reason=stored["reason"])
        case "credit_of_rate":
            return RateBackWhy(
                tax_code=stored["tax_code"],
                rate=Decimal(stored["rate"]),
                rounding=stored["rounding"],
                billed_gross=int(stored["billed_gross"]),
                billed_tax=int(stored["billed_tax"]),
                gross_before=int(stored["gross_before"]),
                gross=int(stored["gross"]),
                tax=int(stored["tax"]),
                reason=stored["reason"],
            )
        case other:
            raise NotAnExplanation(f"kind {other!r}")


def _usage(stored: Mapping[str, Any]) -> UsageWhy:
    return UsageWhy(
        plan=stored["plan"],
        version=None if stored["version"] is None else int(stored["version"]),
        aggregation=stored["aggregation"],
        used=Decimal(stored["used"]),
        included=_decimal(stored["included"]),
        over=_decimal(stored["over"]),
        tiers=tuple(
            TierWhy(
                above=Decimal(tier["above"]),
                to=_decimal(tier["to"]),
                units=Decimal(tier["units"]),
                unit_price=Decimal(tier["unit_price"]),
                amount=Decimal(tier["amount"]),
            )
            for tier in stored["tiers"]
        ),
        exact=Decimal(stored["exact"]),
        first_day=date.fromisoformat(stored["first_day"]),
        last_day=date.fromisoformat(stored["last_day"]),
        charged=bool(stored["charged"]),
    )


def _decimal(stored: str | None) -> Decimal | None:
    return None if stored is None else Decimal(stored)
