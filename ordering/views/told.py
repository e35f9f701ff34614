"""What an order changes, in words: told from what binds of it, so that a receipt says what was shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from core import words
from core.money import written
from core.months import BillingMonth, last_day
from core.templatetags.writing import day, money_in_text, month
from ordering.models import Review
from ordering.rules.acts import (
    Act,
    AddLicences,
    ChangePlan,
    Renew,
    SetRenewal,
    Start,
    WithdrawRenewal,
    from_json,
)
from ordering.rules.binding import Kind
from plans.enums import Category

_CATEGORIES = {
    Category.LICENCE: lambda: _("Licence plan"),
    Category.SUPPORT: lambda: _("Support plan"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changes: what it is, as it is, as it is to be, and from when."""

    what: str
    before: str
    after: str
    when: str


@dataclass(frozen=True, slots=True)
class FeeShown:
    """A month's fixed fees before and after, tax included and net."""

    month: str
    before: str
    after: str
    net_after: str
    is_changed: bool


def act_of(review: Review) -> Act:
    """Return what a review is about."""
    return from_json(review.act)


def title(act: Act) -> str:
    """Return what an order is called."""
    match act:
        case ChangePlan(category=Category.LICENCE):
            return _("Change the licence plan")
        case ChangePlan():
            return _("Change the support plan")
        case Start():
            return _("Start a paid plan")
        case AddLicences():
            return _("Add licences")
        case Renew():
            return _("Renew the contract")
        case WithdrawRenewal(is_first=True):
            return _("Withdraw the ordered contract")
        case WithdrawRenewal():
            return _("Withdraw the renewal")
        case SetRenewal(renews=True):
            return _("Switch automatic renewal on")
        case SetRenewal():
            return _("Switch automatic renewal off")


def way_back(act: Act) -> str:
    """Say how an order can be taken back once it is saved, or that it cannot."""
    match act:
        case ChangePlan():
            return _(
                "You can change again at any time; the plan in force when a month begins decides its fee."
            )
        case Start():
            return _(
                "A contract can be withdrawn until it begins, and then runs to its last day. Automatic"
                " renewal can be switched off until the next term is ordered."
            )
        case AddLicences():
            return _("Added licences stay until the contract ends.")
        case Renew():
            return _("Until the next term begins, you can withdraw the renewal.")
        case WithdrawRenewal(is_first=True):
            return _("You can order a contract again at any time.")
        case WithdrawRenewal():
            return _("Until the contract ends, you can order the renewal again.")
        case SetRenewal():
            return _("You can switch it back at any time before the contract ends.")


def changes(bound: Mapping[str, Any], at: datetime, zone: ZoneInfo, *, done: bool) -> list[Change]:
    """Return what an order changes. `at`: when it was shown; `done`: it is carried out by now."""
    found = []
    for category in Category:
        found += _of_category(bound, category, at, zone, done=done)
    old, new = (
        [(each["first_on"], each["end_on"]) for each in bound[side]["terms"]]
        for side in ("before", "after")
    )
    none = _("none")
    found += [Change(_("Main contract"), none, _term(each), "") for each in new if each not in old]
    found += [Change(_("Main contract"), _term(each), none, "") for each in old if each not in new]
    renews = [bound[side]["renews"] for side in ("before", "after")]
    if renews[0] != renews[1]:
        words_of = {True: _("on"), False: _("off")}
        found.append(
            Change(
                _("Automatic renewal"), words_of[renews[0]], words_of[renews[1]], _now(done=done)
            )
        )
    return found


def fees(bound: Mapping[str, Any], currency: str) -> list[FeeShown]:
    """Return the fixed fees of the months that were shown."""
    return [
        FeeShown(
            month=month(BillingMonth.parse(each["month"])),
            before=written(each["before"]["gross"], currency),
            after=written(each["after"]["gross"], currency),
            net_after=written(each["after"]["net"], currency),
            is_changed=each["before"] != each["after"],
        )
        for each in bound["months"]
    ]


def when_billed(bound: Mapping[str, Any], currency: str) -> str:
    """Say from which month on the fees differ, and by how much. Rule: S1-26."""
    for each in bound["months"]:
        before, after = each["before"]["gross"], each["after"]["gross"]
        if before != after:
            return _(
                "From %(month)s on, your monthly fees are %(after)s instead of %(before)s, tax included."
            ) % {
                "month": month(BillingMonth.parse(each["month"])),
                "after": money_in_text(after, currency),
                "before": money_in_text(before, currency),
            }
    return _("The fees of this month and the next three stay as they are.")


def differences(review: Review) -> list[str]:
    """Say what is not as the review before this one showed it."""
    return [_difference(each, review.organisation.currency) for each in review.differences]


def _difference(each: Mapping[str, Any], currency: str) -> str:
    plan = each["name_ja"] if words.current().is_japanese else each["name_en"]
    match each["kind"]:
        case Kind.MONTH:
            return _(
                "A new month has begun, so the months and the first fee that changes are others."
            )
        case Kind.CONTRACT:
            return _(
                "Your plans or your contract were changed in between, in another window perhaps."
            )
        case Kind.PRICE:
            return _(
                "%(plan)s now costs %(net)s a month and step, net; it was shown with %(old)s."
            ) % {
                "plan": plan,
                "net": money_in_text(each["net"], currency),
                "old": money_in_text(each["shown_net"], currency),
            }
        case Kind.PROMISE:
            return _("What %(plan)s includes, or what more than that costs, has changed.") % {
                "plan": plan
            }
        case Kind.TAX:
            return _("The tax on your fees has changed.")
        case Kind.SPOTS:
            return _("Other spot contracts lose their cover by it, or other amounts are credited.")
        case _:
            return _("The days from which it holds have changed.")


def _of_category(
    bound: Mapping[str, Any], category: Category, at: datetime, zone: ZoneInfo, *, done: bool
) -> list[Change]:
    before, after = (_spans(bound, side, category, at) for side in ("before", "after"))
    instants = sorted({at} | {each.from_at for each in (*before, *after) if each.from_at > at})
    found: list[Change] = []
    last: tuple[str, str] | None = None
    for instant in instants:
        pair = (_at(before, instant), _at(after, instant))
        if pair[0] != pair[1] and pair != last:
            when = (
                _now(done=done)
                if instant == at
                else _("from %(day)s") % {"day": day(instant.astimezone(zone).date())}
            )
            found.append(Change(_CATEGORIES[category](), *pair, when))
        last = pair
    return found


@dataclass(frozen=True, slots=True)
class _Shown:
    plan: str
    from_at: datetime
    until_at: datetime | None


def _spans(
    bound: Mapping[str, Any], side: str, category: Category, at: datetime
) -> Sequence[_Shown]:
    return [
        _Shown(
            plan=_plan(bound["terms"][str(each["version"])], each["steps"]),
            from_at=datetime.fromisoformat(each["from"]) if each["from"] else at,
            until_at=datetime.fromisoformat(each["until"]) if each["until"] else None,
        )
        for each in bound[side]["spans"]
        if each["category"] == category
    ]


def _at(spans: Sequence[_Shown], instant: datetime) -> str:
    for each in spans:
        if each.from_at <= instant and (each.until_at is None or each.until_at > instant):
            return each.plan
    return _("none")


def _plan(terms: Mapping[str, Any], steps: int) -> str:
    plan = terms["name_ja"] if words.current().is_japanese else terms["name_en"]
    accounts = terms["accounts"]
    return f"{plan} {accounts * steps}" if accounts else str(plan)


def _term(term: tuple[str, str]) -> str:
    first, end = (date.fromisoformat(each) for each in term)
    return _("%(first)s to %(last)s") % {"first": day(first), "last": day(last_day(end))}


def _now(*, done: bool) -> str:
    return _("at once") if done else _("as soon as you save")
