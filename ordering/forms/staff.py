"""What staff say to order for a customer: the customer's own forms, and why. Rule: R12."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ordering.forms import contracts
from ordering.forms.contracts import Order, name_of
from ordering.queries.positions import Position
from ordering.rules import acts
from ordering.rules.acts import Act
from ordering.rules.guards import Waiver


class StaffOrder(Order):
    """An order with its reason, and with what staff let pass. `review`: what was shown of it."""

    without_method = forms.BooleanField(
        label=_("Although there is no active payment method"), required=False
    )
    while_overdue = forms.BooleanField(label=_("Although an invoice is overdue"), required=False)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=255,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text=_("It is kept in the audit trail."),
    )
    review = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None, *, position: Position) -> None:
        super().__init__(data, position=position)
        if data is None:
            self.is_bound = False
            self.initial = self.proposed()
        self.fields["is_confirmed"].label = _(
            "Although more accounts are in use than are allowed afterwards: the customer knows"
        )

    @property
    def waivers(self) -> frozenset[Waiver]:
        """Return what staff let pass; the form must be valid."""
        ticked = {Waiver.METHOD: "without_method", Waiver.OVERDUE: "while_overdue"}
        return frozenset(each for each, name in ticked.items() if self.cleaned_data[name])


class ChangePlan(StaffOrder):
    plan = forms.ChoiceField(label=_("Plan"))
    field_order = ["plan"]

    def __init__(self, data: Mapping[str, Any] | None, *, position: Position) -> None:
        super().__init__(data, position=position)
        plan = self.fields["plan"]
        if isinstance(plan, forms.ChoiceField):
            plan.choices = [
                (each.plan_code, f"{each.category.label}: {name_of(each)}")
                for each in position.market.offers.values()
            ]

    def act(self) -> Act:
        offer = self.position.market.offers[self.cleaned_data["plan"]]
        return acts.ChangePlan(offer.category, offer.plan_code)


class Start(StaffOrder, contracts.Start):
    pass


class AddLicences(StaffOrder, contracts.AddLicences):
    field_order = ["steps"]


class Renew(StaffOrder, contracts.Renew):
    pass


class SetRenewal(StaffOrder, contracts.SetRenewal):
    renews = forms.TypedChoiceField(
        label=_("Automatic renewal"),
        choices=[("on", _("On")), ("off", _("Off"))],
        coerce=lambda value: value == "on",
    )
    field_order = ["renews"]


class WithdrawRenewal(StaffOrder, contracts.WithdrawRenewal):
    cutting_spots = forms.BooleanField(
        label=_(
            "Although spot orders need this renewal: they are cut, and whole unused months credited"
        ),
        required=False,
    )

    @property
    def waivers(self) -> frozenset[Waiver]:
        spots = {Waiver.SPOTS} if self.cleaned_data["cutting_spots"] else set()
        return super().waivers | spots


class ReturnToFree(StaffOrder, contracts.ReturnToFree):
    pass
