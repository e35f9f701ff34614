"""What a root may order, as values: kept with a review as JSON, and carried out on a timeline.

An act says what is wished, not what it costs: plans are named by their code, and the version on sale
when it is carried out is the one that is taken. What was shown of it is kept beside it (binding.py).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from core.canonical import Json
from plans.enums import Category
from plans.rules import PlanTerms, timeline
from plans.rules.timeline import Refusal, Timeline


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """Another plan of a category, at once. Rule: S1-20…S1-26."""

    category: Category
    plan: str


@dataclass(frozen=True, slots=True)
class Start:
    """A main contract, from a day on. Rule: S2-12."""

    plan: str
    steps: int
    first_on: date
    months: int
    renews: bool


@dataclass(frozen=True, slots=True)
class AddLicences:
    """Steps more of the licence plan, at once. Rule: S2-16."""

    steps: int


@dataclass(frozen=True, slots=True)
class Renew:
    """The term that follows the last one. Rule: S2-13.

    `is_confirmed`, here and below: the root knows that more accounts are in use than are allowed
    when the present term is over.
    """

    plan: str
    steps: int
    months: int
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawRenewal:
    """No next term, though it was ordered. `is_first`: it is a first one, ordered ahead."""

    is_confirmed: bool = False
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class SetRenewal:
    """Automatic renewal on or off; off: the free plan follows the last day."""

    renews: bool
    is_confirmed: bool = False


# How far ahead a main contract may be ordered.
START_WITHIN_MONTHS = 3

Act: TypeAlias = ChangePlan | Start | AddLicences | Renew | WithdrawRenewal | SetRenewal

_KINDS: dict[str, type[Act]] = {
    "change": ChangePlan,
    "start": Start,
    "add_licences": AddLicences,
    "renew": Renew,
    "withdraw_renewal": WithdrawRenewal,
    "set_renewal": SetRenewal,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class NotAnAct(ValueError):
    """What was stored names no act, or one of another form."""


class NotOnSale(Refusal):
    """The plan is not sold today in the organisation's currency, or not in this category."""


@dataclass(frozen=True, slots=True)
class Market:
    """When an act is carried out, and what is on sale then, by plan code, in one currency."""

    now: datetime
    zone: ZoneInfo
    offers: Mapping[str, PlanTerms]
    latest_on: date | None = None


def name(act: Act) -> str:
    """Return an act's name, as the audit trail and a stored act say it."""
    return _NAMES[type(act)]


def to_json(act: Act) -> dict[str, Json]:
    """Return an act as a review keeps it."""
    written: dict[str, Json] = {"act": name(act)}
    for key, value in asdict(act).items():
        match value:
            case Category():
                written[key] = value.value
            case date():
                written[key] = value.isoformat()
            case _:
                written[key] = value
    return written


def from_json(stored: Mapping[str, Any]) -> Act:
    """Return the act that `to_json` wrote. Raises NotAnAct."""
    values = {key: value for key, value in stored.items() if key != "act"}
    try:
        if "category" in values:
            values["category"] = Category(values["category"])
        if "first_on" in values:
            values["first_on"] = date.fromisoformat(values["first_on"])
        return _KINDS[stored["act"]](**values)
    except (KeyError, TypeError, ValueError) as fault:
        raise NotAnAct(str(stored)) from fault


def carried_out(act: Act, contracted: Timeline, market: Market) -> Timeline:
    """Return what an act makes of all that is contracted.

    Raises NotOnSale and what plans.rules.timeline refuses with.
    """
    now, zone = market.now, market.zone
    match act:
        case ChangePlan():
            return timeline.change(contracted, _changed_to(act, contracted, market), now)
        case Start():
            return timeline.start(
                contracted,
                _licence(act.plan, market),
                steps=act.steps,
                first_on=act.first_on,
                months=act.months,
                renews=act.renews,
                now=now,
                zone=zone,
                latest_on=market.latest_on,
            )
        case AddLicences():
            return timeline.add_licences(contracted, act.steps, now=now, zone=zone)
        case Renew():
            return timeline.renew(
                contracted,
                _licence(act.plan, market),
                steps=act.steps,
                months=act.months,
                now=now,
                zone=zone,
            )
        case WithdrawRenewal():
            return timeline.withdraw_renewal(contracted, now=now, zone=zone)
        case SetRenewal():
            return timeline.set_renewal(contracted, act.renews, now=now, zone=zone)


def _changed_to(act: ChangePlan, contracted: Timeline, market: Market) -> PlanTerms:
    """Return the terms that a change leads to: the present plan keeps its pinned version. Rule: B-02."""
    present = contracted.at(act.category, market.now)
    if present is not None and present.terms.plan_code == act.plan:
        return present.terms
    terms = market.offers.get(act.plan)
    if terms is None or terms.category is not act.category:
        raise NotOnSale(act.plan)
    return terms


def _licence(plan: str, market: Market) -> PlanTerms:
    terms = market.offers.get(plan)
    if terms is None or terms.category is not Category.LICENCE:
        raise NotOnSale(plan)
    return terms
