"""What the acts of the back office ask for."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

_WIDE = forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"})
_LONG = forms.Textarea(attrs={"class": "vLargeTextField", "rows": 6})


class WhyForm(forms.Form):
    """Why: it is kept in the audit trail."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=255,
        widget=_WIDE,
        help_text=_("It is kept in the audit trail."),
    )


class OperationForm(WhyForm):
    """A reason, and the name of this form: sent twice, it is done once. Rule: R3."""

    operation = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class CreditForm(OperationForm):
    """How much of an invoice is credited, tax included, in the currency's own unit; empty: the rest."""

    gross = forms.DecimalField(
        label=_("Amount, tax included"),
        required=False,
        min_value=Decimal(0),
        max_digits=15,
        widget=_WIDE,
        help_text=_("Leave it empty to credit all that is left of the invoice."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=255,
        widget=_WIDE,
        help_text=_("The customer reads it on the credit note."),
    )
    field_order = ["gross", "reason", "operation"]


class ByHandForm(WhyForm):
    """What was given back outside the portal."""

    amount = forms.DecimalField(
        label=_("Amount given back"), min_value=Decimal(0), max_digits=15, widget=_WIDE
    )
    reference = forms.CharField(
        label=_("Reference"),
        max_length=120,
        widget=_WIDE,
        help_text=_("The name by which the bank or the provider knows the transfer."),
    )
    field_order = ["amount", "reference", "reason"]


class KnownAsForm(WhyForm):
    """By which name the provider knows a refund."""

    reference = forms.CharField(label=_("Reference at the provider"), max_length=120, widget=_WIDE)
    field_order = ["reference", "reason"]


class AnswerForm(forms.Form):
    """What the customer is told."""

    answer = forms.CharField(
        label=_("Answer"),
        max_length=2000,
        widget=_LONG,
        help_text=_("It is mailed to the customer and shown on their page."),
    )


class ResolutionForm(forms.Form):
    """What came of a difference."""

    resolution = forms.CharField(
        label=_("What came of it"),
        max_length=400,
        widget=_LONG,
        help_text=_("It is kept with the difference and in the audit trail."),
    )


class StopForm(WhyForm):
    """What is charged no more by itself, and why."""

    scope = forms.ChoiceField(label=_("What"))
    organisation = forms.CharField(
        label=_("Reference of the organisation"),
        max_length=60,
        required=False,
        widget=_WIDE,
        help_text=_("For one organisation only."),
    )
    field_order = ["scope", "organisation", "reason"]

    def __init__(self, *args: Any, scopes: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["scope"]
        if isinstance(chosen, forms.ChoiceField):
            chosen.choices = scopes


class LiftForm(WhyForm):
    """Why charging goes on; `anyway`: although a provider's books were not compared since."""

    scope = forms.CharField(widget=forms.HiddenInput, max_length=60)
    anyway = forms.BooleanField(
        label=_("Although the providers' books were not compared since the stop"), required=False
    )
