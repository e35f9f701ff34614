from decimal import Decimal

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.enums import InvoiceKind
from billing.queries.invoices import Search
from billing.rules import numbers
from billing.rules.numbers import Typed
from core import money
from core.months import BillingMonth, NotAMonth
from pages.queries import OrderStanding, Standing, Wanted

_NAMES = ("date", "year", "month")
_MOST = 2**63 - 1


class Lookup(forms.Form):
    """What a list is searched by; everything may be left out. Amounts in major units."""

    use_required_attribute = False
    # Pairs of fields whose second must not lie before the first.
    spans: tuple[tuple[str, str], ...] = ()

    def __init__(self, *args: object, currency: str, prefix_of_numbers: str, **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what a form takes
        self._currency = currency
        self._numbers = prefix_of_numbers

    def clean_gross_from(self) -> int | None:
        return self._minor("gross_from")

    def clean_gross_to(self) -> int | None:
        return self._minor("gross_to")

    def clean(self) -> dict[str, object]:
        for begin, end in self.spans:
            low, high = self.cleaned_data.get(begin), self.cleaned_data.get(end)
            if low is not None and high is not None and low > high:
                self.add_error(end, _("The end lies before the beginning."))
        return self.cleaned_data

    @property
    def asks(self) -> bool:
        """Whether anything was asked for."""
        return any(self.data.get(name) for name in self.fields)

    def _minor(self, name: str) -> int | None:
        amount: Decimal | None = self.cleaned_data[name]
        if amount is None:
            return None
        try:
            minor = money.to_minor(amount, self._currency)
        except money.FractionOfMinorUnit:
            raise forms.ValidationError(_("This currency has fewer decimals.")) from None
        if abs(minor) > _MOST:
            raise forms.ValidationError(_("This amount is too large."))
        return minor


class InvoiceSearch(Lookup):
    """What an invoice or a credit note is looked up by. Rule: japan.md."""

    spans = (("issued_from", "issued_to"), ("gross_from", "gross_to"))

    payment = forms.ChoiceField(
        label=_("Payment"),
        required=False,
        choices=[
            ("", _("any")),
            (Standing.OPEN, pgettext_lazy("invoice", "open")),
            (Standing.OVERDUE, _("overdue")),
            (Standing.CLOSED, pgettext_lazy("invoice", "paid")),
        ],
    )

    issued_from = forms.DateField(
        label=_("Issued from"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    issued_to = forms.DateField(
        label=_("Issued to"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    gross_from = forms.DecimalField(label=_("Total from"), required=False, max_digits=18)
    gross_to = forms.DecimalField(label=_("Total to"), required=False, max_digits=18)
    number = forms.CharField(label=_("Invoice or order number"), required=False, max_length=40)

    def clean_number(self) -> Typed | str | None:
        """Return a document's number, or that of an order, as typed."""
        typed: str = self.cleaned_data["number"]
        if not typed:
            return None
        number = numbers.parse(typed, self._numbers)
        if number is not None:
            return number
        if numbers.is_of_order(typed):
            return typed.strip().upper()
        raise forms.ValidationError(
            _(
                "An invoice number looks like %(invoice)s or %(spot)s, a credit note's like %(note)s."
            ),
            params={
                "invoice": numbers.written(self._numbers, 12),
                "spot": numbers.written(self._numbers, 12, InvoiceKind.SPOT),
                "note": numbers.written(self._numbers, 12, InvoiceKind.CREDIT_NOTE),
            },
        )

    def search(self) -> Search:
        """Return what was asked for of the documents; the form must be valid."""
        asked = dict(self.cleaned_data)
        del asked["payment"]
        number = asked.pop("number")
        order = number if isinstance(number, str) else ""
        return Search(**asked, order=order, number=None if order else number)

    def standing(self) -> Standing | None:
        """Return how the invoices asked for are paid; the form must be valid."""
        chosen = self.cleaned_data["payment"]
        return Standing(chosen) if chosen else None


class OrderSearch(Lookup):
    """What an order is looked up by."""

    spans = (("ordered_from", "ordered_to"), ("gross_from", "gross_to"))

    standing = forms.ChoiceField(
        label=pgettext_lazy("order", "State"),
        required=False,
        choices=[("", _("any")), *OrderStanding.choices],
    )
    ordered_from = forms.DateField(
        label=_("Ordered from"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    ordered_to = forms.DateField(
        label=_("Ordered to"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    gross_from = forms.DecimalField(label=_("Total from"), required=False, max_digits=18)
    gross_to = forms.DecimalField(label=_("Total to"), required=False, max_digits=18)
    number = forms.CharField(label=_("Order number"), required=False, max_length=40)

    def search(self) -> Wanted:
        """Return what was asked for of the orders; the form must be valid."""
        asked = dict(self.cleaned_data)
        chosen = asked.pop("standing")
        return Wanted(**asked, standing=OrderStanding(chosen) if chosen else None)


def chosen_month(given: QueryDict, default: BillingMonth) -> BillingMonth:
    """Return the month asked for by `date=2026-11`, or by `year` and `month`; else `default`.

    Raises NotAMonth for what names no month, names it twice or in two ways. Rule: S1-08.
    """
    named = {name for name in _NAMES if name in given}
    if not named:
        return default
    if any(len(given.getlist(name)) > 1 for name in named):
        raise NotAMonth("named twice")
    if named == {"date"}:
        return BillingMonth.parse(str(given["date"]))
    if named == {"year", "month"}:
        return BillingMonth.parse(f"{given['year']}-{str(given['month']).rjust(2, '0')}")
    raise NotAMonth("named in two ways")
