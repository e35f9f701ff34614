"""What a root chooses, fills in and asks for. Rule: S1-14, S1-16, S1-17."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import Gateway, ProfileField, RequestRefused
from payments.gateways.paid import EMAIL_IS_TAKEN
from payments.rules import profile as rules
from payments.services.charges import Shown

_WIDGETS: Mapping[str, type[forms.Widget]] = {
    "text": forms.TextInput,
    "email": forms.EmailInput,
    "tel": forms.TelInput,
    "select": forms.Select,
}
# What a provider's code means for the field that it names, where a person can do something about it.
_TOLD = {
    ("paid", EMAIL_IS_TAKEN): _(
        "This address is already registered with Paid. Sign in to Paid and link your account with us"
        " there, or give another address here; Support helps."
    ),
}


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together; `title` may be empty."""

    title: str
    fields: list[BoundField]


class _Radios(forms.RadioSelect):
    """Radio buttons whose errors lead to the first of them."""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return super().id_for_label(id_, "0" if index is None else index)


class Choice(forms.Form):
    """Which of the offered ways to pay."""

    gateway = forms.ChoiceField(
        label=_("How do you want to pay?"),
        widget=_Radios,
        error_messages={
            "required": _("Choose how you want to pay."),
            "invalid_choice": _("This way to pay is not offered to your organisation."),
        },
    )

    def __init__(self, *args: Any, offered: Sequence[Gateway], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["gateway"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(each.slug, gettext(each.label)) for each in offered]


class Payment(forms.Form):
    """How something is paid at once, and what its payer was shown. Rule: R3, F51."""

    way = forms.CharField(max_length=20)
    amount = forms.IntegerField(min_value=1)
    attempts = forms.IntegerField(min_value=0)
    method = forms.UUIDField(required=False)

    def shown(self) -> Shown:
        """Return what the payer was shown; the form must be valid."""
        data = self.cleaned_data
        return Shown(data["amount"], data["attempts"], data["method"])


class Registration(forms.Form):
    """A provider's registration form, made of what the provider asks. Rule: S1-17."""

    def __init__(self, *args: Any, gateway: Gateway, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gateway = gateway
        self._asked = gateway.profile
        for asked in self._asked:
            self.fields[asked.name] = _field(asked)

    def sections(self) -> Iterator[Section]:
        """Yield the fields in their order, those of one section together."""
        section: Section | None = None
        title = ""
        for asked in self._asked:
            if section is None or asked.section != title:
                if section:
                    yield section
                title = asked.section
                section = Section(gettext(title) if title else "", [])
            section.fields.append(self[asked.name])
        if section:
            yield section

    def profile(self) -> dict[str, str]:
        """Return what was filled in, as the provider wants it written."""
        return {asked.name: self.cleaned_data[asked.name] for asked in self._asked}

    def refuse(self, refused: RequestRefused) -> None:
        """Tell what the provider finds fault with, at the fields that it names."""
        told = _TOLD.get((self.gateway.slug, refused.code)) or gettext(
            "%(company)s does not accept this. Check it and send it again."
        ) % {"company": self.gateway.name}
        fields = [name for name in refused.fields if name in self.fields]
        for name in fields:
            self.add_error(name, told)
        if not fields:
            self.add_error(None, told)


class SupportMessage(forms.Form):
    """What Support is asked for, in the root's own words."""

    message = forms.CharField(
        label=_("What should be changed?"),
        help_text=_(
            "For example: another card, another company, or from which invoice on."
            " No card numbers here."
        ),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"max_length": _("At most 2,000 characters.")},
    )


class _Answer(forms.CharField):
    """One answer, written as the provider wants it before it is checked."""

    def __init__(self, asked: ProfileField, **kwargs: Any) -> None:
        self._asked = asked
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> str:
        typed = super().to_python(value) or ""
        return rules.normalised({self._asked.name: typed})[self._asked.name]

    def run_validators(self, value: str) -> None:
        asked = self._asked
        if not value:
            return
        if len(value) > asked.max_length:
            raise ValidationError(
                _("At most %(most)s characters; these are %(count)s."),
                params={"most": asked.max_length, "count": len(value)},
            )
        if not value.isprintable():
            raise ValidationError(_("This contains a character that cannot be used."))
        if asked.choices and value not in dict(asked.choices):
            raise ValidationError(_("Choose one from the list."))
        if asked.pattern and re.fullmatch(asked.pattern, value) is None:
            raise ValidationError(gettext(asked.hint) if asked.hint else _("Check this."))


def _field(asked: ProfileField) -> forms.Field:
    attributes = {"autocomplete": asked.autocomplete or "off"}
    widget: forms.Widget
    if asked.kind == "select":
        choices = [("", gettext("Choose")), *[(key, gettext(name)) for key, name in asked.choices]]
        widget = forms.Select(attrs=attributes, choices=choices)
    else:
        widget = _WIDGETS[asked.kind](attrs=attributes)
    return _Answer(
        asked,
        label=gettext(asked.label),
        help_text=gettext(asked.help) if asked.help else "",
        required=asked.required,
        widget=widget,
        error_messages={
            "required": _("Choose one from the list.") if asked.choices else _("Fill this in.")
        },
    )
