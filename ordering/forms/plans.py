"""What a root chooses among."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from plans.rules import PlanTerms


class PlanChoice(forms.Form):
    """One of the plans on sale, or the present one. Rule: S1-22."""

    plan = forms.ChoiceField(
        label=_("Plan"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose a plan."),
            "invalid_choice": _(
                "This plan is not on sale in your currency today. Choose another one."
            ),
        },
    )

    def __init__(self, *args: Any, offered: Iterable[PlanTerms], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["plan"]
        if not isinstance(field, forms.ChoiceField):
            raise TypeError(field)
        field.choices = [(each.plan_code, each.name_en) for each in offered]
