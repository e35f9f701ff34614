"""What the list of who leaves is looked through by, and what it is a preview of. Rule: design.md 6.5."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.translation import gettext_lazy as _

from seats.queries.leaving import Part
from spot_orders.rules.spot import MOST_MONTHS, Wish

_MOST = 10_000_000


class Leaving(forms.Form):
    """A search, and a preview: of a wished spot contract (three fields), or of fewer licences (two)."""

    q = forms.CharField(label=_("Name or e-mail address"), max_length=254, required=False)
    part = forms.ChoiceField(
        label=_("Show"),
        choices=[
            (Part.ALL, _("all")),
            (Part.LEAVING, _("who leaves")),
            (Part.STAYING, _("who stays")),
        ],
        required=False,
    )
    accounts = forms.IntegerField(
        min_value=1, max_value=_MOST, required=False, widget=forms.HiddenInput
    )
    first_on = forms.DateField(required=False, widget=forms.HiddenInput)
    months = forms.IntegerField(
        min_value=1, max_value=MOST_MONTHS, required=False, widget=forms.HiddenInput
    )
    allowed = forms.IntegerField(
        min_value=1, max_value=_MOST, required=False, widget=forms.HiddenInput
    )
    from_on = forms.DateField(required=False, widget=forms.HiddenInput)

    @property
    def text(self) -> str:
        return str(self._data.get("q") or "")

    @property
    def shown_part(self) -> Part:
        return Part(self._data.get("part") or Part.ALL)

    @property
    def wish(self) -> Wish | None:
        """The spot contract that the list is a preview of."""
        accounts, first_on, months = (
            self._data.get(name) for name in ("accounts", "first_on", "months")
        )
        return Wish(accounts, first_on, months) if accounts and first_on and months else None

    @property
    def asks_for_preview(self) -> bool:
        """Whether anything of a preview was asked for, be it whole or not."""
        names = ("accounts", "first_on", "months", "allowed", "from_on")
        return any(self.data.get(name) for name in names)

    def query(self, *, preview_only: bool = False) -> str:
        """Return what was asked for as the query of an address."""
        names = [name for name in self.fields if not preview_only or name not in {"q", "part"}]
        return urlencode({name: self.data[name] for name in names if self.data.get(name)})

    @property
    def limit(self) -> tuple[int, date] | None:
        """How many accounts the licence would allow, and from which day on."""
        allowed, from_on = self._data.get("allowed"), self._data.get("from_on")
        return (allowed, from_on) if allowed and from_on else None

    @property
    def _data(self) -> dict[str, Any]:
        self.is_valid()
        return self.cleaned_data
