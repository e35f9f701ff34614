"""How many people more, from which day to which: what the cheapest cover is looked for. Rule: S2-16."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ordering.queries.positions import Position
from spot_orders.rules.spot import MOST_STEPS

_NO_NUMBER = {
    "required": _("Say how many people."),
    "invalid": _("Write a whole number."),
    "min_value": _("At least 1."),
    "max_value": _("At most %(limit_value)s at a time. Support can help you with more."),
}
_NO_DAY = {"required": _("Choose a day."), "invalid": _("Write a day as 2026-12-31.")}
_MOST = MOST_STEPS * 1_000


class Cover(forms.Form):
    people = forms.IntegerField(
        label=_("People more"), min_value=1, max_value=_MOST, error_messages=_NO_NUMBER
    )
    first_on = forms.DateField(
        label=_("From"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        error_messages=_NO_DAY,
    )
    last_on = forms.DateField(
        label=_("To (last day)"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        error_messages=_NO_DAY,
    )

    def __init__(self, data: Mapping[str, Any] | None, *, position: Position) -> None:
        super().__init__(data)
        for name in ("first_on", "last_on"):
            self.fields[name].widget.attrs["min"] = position.today.isoformat()
