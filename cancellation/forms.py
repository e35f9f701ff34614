"""What a root says to end a contract: every box, a reason if they like, and the password."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _

from cancellation.enums import Reason
from cancellation.services.confirming import LONGEST_TEXT


class Confirm(forms.Form):
    """One tick for each text of the terms; the service refuses what is missing. Rule: S1-28, F71."""

    ticked = forms.TypedMultipleChoiceField(
        label=_("Cancellation terms"), coerce=int, required=False, choices=()
    )
    reason = forms.TypedChoiceField(
        label=_("Why do you leave?"),
        required=False,
        coerce=Reason,
        empty_value=None,
        choices=(),
        help_text=_("It helps us to do better. You need not say."),
    )
    reason_text = forms.CharField(
        label=_("In your own words"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("We ask for it once more, so that nobody else ends the contract in your name."),
    )

    def __init__(self, data: object = None, *, boxes: Sequence[object]) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict, or nothing
        self._boxes = len(boxes)
        places = [(str(place), "") for place in range(self._boxes)]
        ticked, reason = self.fields["ticked"], self.fields["reason"]
        assert isinstance(ticked, forms.TypedMultipleChoiceField)  # noqa: S101 - named just above
        assert isinstance(reason, forms.TypedChoiceField)  # noqa: S101 - named just above
        ticked.choices = places
        reason.choices = [("", _("I would rather not say")), *Reason.choices]

    @property
    def places(self) -> set[int]:
        """Which boxes are ticked, by their place, from what was sent."""
        ticked = {str(each) for each in self["ticked"].value() or ()}
        return {place for place in range(self._boxes) if str(place) in ticked}
