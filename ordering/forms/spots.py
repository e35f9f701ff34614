"""What a root says to add accounts for some months. Rule: S2-04, S2-05, S2-22, S2-23, F55."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from core.templatetags.writing import day
from ordering.queries import spots as queries
from ordering.queries.positions import Position
from ordering.rules.spots import NotAgreed, OtherTerms
from plans.models import TermsOfUse
from plans.rules.timeline import Refusal
from spot_orders.rules.spot import (
    MOST_MONTHS,
    BeforePaidPlan,
    BeyondContract,
    NoLimit,
    NotInSteps,
    NotWholeMonths,
    SpotStartsInThePast,
    Window,
    Wish,
)

_NOT_A_DAY = {
    "required": _("Choose the first day."),
    "invalid": _("Write a day as 2026-12-31."),
}


class SpotSettings(forms.Form):
    """How many accounts, from which day on, for how many months; as typed or as proposed at first.

    Only what may be is offered; that it fits together is decided by the rules.
    """

    # Which field a refusal is about; any other is about the order as a whole.
    fields_of: ClassVar[Mapping[type[Refusal], str]] = {
        BeforePaidPlan: "first_on",
        SpotStartsInThePast: "first_on",
        BeyondContract: "months",
        NotWholeMonths: "months",
        NotInSteps: "accounts",
        NoLimit: "accounts",
        NotAgreed: "agrees",
        OtherTerms: "agrees",
    }

    accounts = forms.TypedChoiceField(
        label=_("Accounts to add"),
        coerce=int,
        error_messages={
            "required": _("Choose how many accounts."),
            "invalid_choice": _("Choose one of the numbers that are offered."),
        },
    )
    first_on = forms.DateField(
        label=_("Start date"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        error_messages=_NOT_A_DAY,
    )
    months = forms.TypedChoiceField(
        label=_("Number of months"),
        coerce=int,
        error_messages={
            "required": _("Choose how many months."),
            "invalid_choice": _("Choose 1 to 12 whole months."),
        },
    )

    def __init__(
        self, data: Mapping[str, Any] | None, *, position: Position, window: Window
    ) -> None:
        self.position, self.window = position, window
        super().__init__(self.proposed() if data is None else data)
        starts = self._typed_day() or window.first_on
        self._offer("accounts", [(each, f"{each:,}") for each in self._numbers(starts)])
        self._offer("months", [(each, _months(each)) for each in range(1, MOST_MONTHS + 1)])
        self._limit(starts)

    def proposed(self) -> dict[str, Any]:
        """Return what the form holds when it opens: one step, as soon as possible, for a month."""
        first = self.window.first_on
        return {
            "accounts": str(next(iter(self._numbers(first)), "")),
            "first_on": first.isoformat(),
            "months": "1",
        }

    def wish(self) -> Wish:
        """Return what is asked for; the form must be valid."""
        data = self.cleaned_data
        return Wish(data["accounts"], data["first_on"], data["months"])

    def query(self) -> dict[str, str]:
        """Return the settings as an address holds them."""
        return {name: str(self[name].value() or "") for name in SpotSettings.base_fields}

    @property
    def months_offered(self) -> list[tuple[int, str]]:
        """The lengths that fit, and the one that was typed: nothing typed is lost."""
        typed = str(self["months"].value() or "")
        fit = queries.months_possible(self.position, self._typed_day() or self.window.first_on)
        return [
            (each, _months(each))
            for each in range(1, MOST_MONTHS + 1)
            if each in fit or str(each) == typed
        ]

    def _numbers(self, starts: date) -> list[int]:
        found = queries.choices(self.position, starts)
        return found or queries.choices(self.position, self.window.first_on)

    def _typed_day(self) -> date | None:
        try:
            typed = date.fromisoformat(str(self.data.get("first_on", "")))
        except ValueError:
            return None
        return typed if self.window.first_on <= typed < self.window.end_on else None

    def _offer(self, name: str, choices: list[tuple[int, str]]) -> None:
        field = self.fields[name]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices

    def _limit(self, starts: date) -> None:
        """Say at the fields between which values they lie."""
        steps = self._numbers(starts)
        self.fields["accounts"].help_text = gettext("In steps of %(step)s.") % {
            "step": f"{steps[0]:,}" if steps else 0
        }
        field = self.fields["first_on"]
        field.help_text = gettext("%(first)s to %(last)s. Days are counted in %(zone)s.") % {
            "first": day(self.window.first_on),
            "last": day(self.window.latest_on),
            "zone": self.position.zone.key,
        }
        field.widget.attrs |= {
            "min": self.window.first_on.isoformat(),
            "max": self.window.latest_on.isoformat(),
        }


class SpotOrder(SpotSettings):
    """The settings, with the agreement to the terms of use and the form's own key. Rule: S2-23, R3."""

    agrees = forms.BooleanField(required=False)
    terms = forms.IntegerField(required=False, widget=forms.HiddenInput, min_value=1)
    operation = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages={
            "required": _("This form is not complete. Open the page again."),
            "invalid": _("This form is not complete. Open the page again."),
        },
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        position: Position,
        window: Window,
        terms: TermsOfUse | None,
        operation: UUID | None = None,
    ) -> None:
        self.shown_terms = terms
        self._operation = operation
        super().__init__(data, position=position, window=window)
        if terms is None:
            del self.fields["agrees"]
        else:
            label = gettext("I agree to the Terms of Use (version %(number)s)")
            self.fields["agrees"].label = label % {"number": terms.number}

    def proposed(self) -> dict[str, Any]:
        terms = {"terms": str(self.shown_terms.number)} if self.shown_terms else {}
        return super().proposed() | terms | {"operation": str(self._operation or uuid4())}

    def agreed_terms(self) -> int | None:
        """Return the number of the terms that were ticked, as they were shown."""
        data = self.cleaned_data
        number: int | None = data.get("terms") if data.get("agrees") else None
        return number

    def clean(self) -> None:
        """Refuse what this form never asked for: a price, another organisation. Rule: F55."""
        unknown = set(self.data) - set(self.base_fields) - {"csrfmiddlewaretoken"}
        if unknown:
            raise ValidationError(
                gettext("This form was changed on its way, so nothing was ordered. Send it again.")
            )


def _months(months: int) -> str:
    return ngettext("%(months)s month", "%(months)s months", months) % {"months": months}
