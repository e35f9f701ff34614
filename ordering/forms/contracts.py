"""What a root says to start, extend or end a main contract: each form is one act. Rule: S2-12…S2-16."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core import words
from ordering.queries.positions import Position
from ordering.rules import acts
from ordering.rules.acts import Act, NotOnSale
from ordering.rules.guards import TooManyAccounts
from plans.rules import PlanTerms
from plans.rules.timeline import (
    MONTHLY,
    YEARLY,
    NotATerm,
    Refusal,
    StartsInThePast,
    StartsTooLate,
)

MOST_STEPS = 1_000
_NO_PLAN = {
    "required": _("Choose a plan."),
    "invalid_choice": _("This plan is not on sale in your currency today. Choose another one."),
}
_NO_STEPS = {
    "required": _("Say how many."),
    "invalid": _("Write a whole number."),
    "min_value": _("At least 1."),
    "max_value": _("At most %(limit_value)s at a time. Support can help you with more."),
}


class Order(forms.Form):
    """An order about a main contract, bound to what was typed or to what is proposed at first.

    `is_confirmed`: the root knows that accounts have to be given up; `asks_to_confirm` where that
    matters.
    """

    # Which field a refusal is about; any other is about the order as a whole.
    fields_of: ClassVar[Mapping[type[Refusal], str]] = {}

    is_confirmed = forms.BooleanField(required=False)

    def __init__(self, data: Mapping[str, Any] | None, *, position: Position) -> None:
        self.position = position
        self.asks_to_confirm = False
        super().__init__(self.proposed() if data is None else data)

    def proposed(self) -> dict[str, Any]:
        """Return what the form holds when it opens."""
        return {}

    def least(self) -> Act:
        """Return the act that asks least: whether any is possible is seen by it."""
        raise NotImplementedError

    def act(self) -> Act:
        """Return what is ordered; the form must be valid."""
        raise NotImplementedError


class _WithPlan(Order):
    """An order that names a plan, steps of it and a length."""

    fields_of = {NotOnSale: "plan", NotATerm: "steps", TooManyAccounts: "steps"}

    plan = forms.ChoiceField(label=_("Plan"), error_messages=_NO_PLAN)
    steps = forms.IntegerField(
        label=_("Steps"),
        min_value=1,
        max_value=MOST_STEPS,
        help_text=_("The plan's price and number of accounts are for one step."),
        error_messages=_NO_STEPS,
    )
    months = forms.TypedChoiceField(
        label=_("Length"),
        coerce=int,
        error_messages={
            "required": _("Choose how long."),
            "invalid_choice": _("Choose 1 month or 12 months."),
        },
    )

    def __init__(self, data: Mapping[str, Any] | None, *, position: Position) -> None:
        super().__init__(data, position=position)
        plan, months = self.fields["plan"], self.fields["months"]
        if isinstance(plan, forms.ChoiceField) and isinstance(months, forms.ChoiceField):
            plan.choices = [(each.plan_code, name_of(each)) for each in position.paid_plans]
            months.choices = [
                (each, ngettext("%(months)s month", "%(months)s months", each) % {"months": each})
                for each in (MONTHLY, YEARLY)
            ]


class Start(_WithPlan):
    fields_of = {
        **_WithPlan.fields_of,
        StartsInThePast: "first_on",
        StartsTooLate: "first_on",
    }

    first_on = forms.DateField(
        label=_("First day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={
            "required": _("Choose the first day."),
            "invalid": _("Write a day as 2026-12-31."),
        },
    )
    renews = forms.BooleanField(
        label=_("Renew automatically at the end"),
        required=False,
        help_text=_(
            "The next term, as long as this one, is ordered 30 days before the end of 12 months and"
            " 7 days before the end of 1 month, at the price on sale that day. You are told by mail"
            " before, and can switch it off."
        ),
    )
    field_order = ["plan", "steps", "first_on", "months", "renews"]

    def __init__(self, data: Mapping[str, Any] | None, *, position: Position) -> None:
        super().__init__(data, position=position)
        day = self.fields["first_on"]
        day.help_text = gettext(
            "Today: the plan is in force at once. Days are counted in %(zone)s."
        ) % {"zone": position.zone.key}
        limits = {"min": position.today.isoformat()}
        if position.market.latest_on:
            limits["max"] = position.market.latest_on.isoformat()
        day.widget.attrs |= limits

    def proposed(self) -> dict[str, Any]:
        plan, steps = _smallest(self.position)
        return {
            "plan": plan,
            "steps": steps,
            "first_on": self.position.today.isoformat(),
            "months": YEARLY,
            "renews": True,
        }

    def least(self) -> Act:
        plan = self.position.paid_plans[0].plan_code if self.position.paid_plans else ""
        return acts.Start(plan, 1, self.position.today, MONTHLY, renews=False)

    def act(self) -> Act:
        data = self.cleaned_data
        return acts.Start(
            data["plan"], data["steps"], data["first_on"], data["months"], data["renews"]
        )


class Renew(_WithPlan):
    field_order = ["plan", "steps", "months", "is_confirmed"]

    def proposed(self) -> dict[str, Any]:
        paid, last = self.position.paid, self.position.last_term
        return {
            "plan": _present_plan(self.position),
            "steps": paid.steps if paid else 1,
            "months": last.months if last else YEARLY,
        }

    def least(self) -> Act:
        return acts.Renew(_present_plan(self.position), 1, MONTHLY, is_confirmed=True)

    def act(self) -> Act:
        data = self.cleaned_data
        return acts.Renew(data["plan"], data["steps"], data["months"], data["is_confirmed"])


class AddLicences(Order):
    fields_of = {NotATerm: "steps"}

    steps = forms.IntegerField(
        label=_("Steps to add"),
        min_value=1,
        max_value=MOST_STEPS,
        error_messages=_NO_STEPS,
    )

    def proposed(self) -> dict[str, Any]:
        return {"steps": 1}

    def least(self) -> Act:
        return acts.AddLicences(1)

    def act(self) -> Act:
        return acts.AddLicences(self.cleaned_data["steps"])


class SetRenewal(Order):
    """Automatic renewal: on where it is off, off where it is on.

    `renews`: what was offered. It is asked again, so that two tabs do not undo each other.
    """

    renews = forms.TypedChoiceField(
        choices=[("on", ""), ("off", "")],
        coerce=lambda value: value == "on",
        widget=forms.HiddenInput,
        error_messages={
            "required": _("Choose whether it is renewed."),
            "invalid_choice": _("Choose whether it is renewed."),
        },
    )

    def proposed(self) -> dict[str, Any]:
        return {"renews": "off" if self.position.contracted.renews else "on"}

    def least(self) -> Act:
        return acts.SetRenewal(not self.position.contracted.renews, is_confirmed=True)

    def act(self) -> Act:
        return acts.SetRenewal(self.cleaned_data["renews"], self.cleaned_data["is_confirmed"])


class WithdrawRenewal(Order):
    def least(self) -> Act:
        return acts.WithdrawRenewal(is_confirmed=True, is_first=self.position.is_first_ahead)

    def act(self) -> Act:
        return acts.WithdrawRenewal(self.cleaned_data["is_confirmed"], self.position.is_first_ahead)


class ReturnToFree(Order):
    """The free plan after the present term: no renewal, be it ordered or still to be."""

    def least(self) -> Act:
        return _ending(self.position, is_confirmed=True)

    def act(self) -> Act:
        return _ending(self.position, is_confirmed=self.cleaned_data["is_confirmed"])


def _ending(position: Position, *, is_confirmed: bool) -> Act:
    if position.next_term is not None:
        return acts.WithdrawRenewal(is_confirmed)
    return acts.SetRenewal(renews=False, is_confirmed=is_confirmed)


def _smallest(position: Position) -> tuple[str, int]:
    """Return the first plan, and how many steps of it, that has room for the accounts in use."""
    in_use = position.circumstances.accounts_in_use
    plan, steps = "", 1
    for each in position.paid_plans:
        per_step = each.accounts_per_step
        plan, steps = each.plan_code, 1 if per_step is None else max(1, -(-in_use // per_step))
        if steps == 1:
            break
    return plan, steps


def _present_plan(position: Position) -> str:
    """Return the plan to renew with: the present one, as long as it is on sale."""
    offered = [each.plan_code for each in position.paid_plans]
    present = position.paid.terms.plan_code if position.paid else ""
    if present in offered or not offered:
        return present
    return offered[0]


def name_of(terms: PlanTerms) -> str:
    """Return a plan's name in the reader's language."""
    return terms.name_ja if words.current().is_japanese else terms.name_en
