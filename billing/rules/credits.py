"""What a credit note gives back of an invoice, and how its tax follows the invoice's. Rule: B-11."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Line, TaxLine, written
from billing.rules.rating import MONTHS
from billing.rules.tax import tax_within
from core.canonical import Json
from core.money import Rounding
from core.months import BillingMonth


class NothingLeft(ValueError):
    """All that the invoice billed has been credited before."""


class MoreThanLeft(ValueError):
    """More is to be credited than the invoice has left. Arguments: gross asked for, gross left."""


class NotAnAmount(ValueError):
    """What is to be credited is not above zero."""


@dataclass(frozen=True, slots=True)
class Original:
    """An issued invoice as a credit note sees it: its lines by position, its taxes by code.

    `order`: the number of the spot order that it bills, if it bills one.
    """

    month: BillingMonth
    rounding: Rounding
    lines: tuple[Line, ...]
    taxes: tuple[TaxLine, ...]
    order: str = ""

    @property
    def gross(self) -> int:
        return sum(tax.net + tax.tax for tax in self.taxes)


@dataclass(frozen=True, slots=True)
class Credit:
    """What a credit note says: positive amounts, given back."""

    lines: tuple[Line, ...]
    taxes: tuple[TaxLine, ...]

    @property
    def net(self) -> int:
        return sum(tax.net for tax in self.taxes)

    @property
    def tax(self) -> int:
        return sum(tax.tax for tax in self.taxes)

    @property
    def gross(self) -> int:
        return self.net + self.tax


def credit(
    original: Original, before: Mapping[TaxCode, int], *, gross: int | None, reason: str
) -> Credit:
    """Return the credit of `gross` of an invoice, or of all that is left of it.

    `before`: gross credited by earlier notes, by tax code. An invoice that is credited at once and
    in whole has its lines mirrored; otherwise there is a line for each rate. Raises NothingLeft,
    MoreThanLeft, NotAnAmount. Rule: B-11.
    """
    taxes = split(original.taxes, before, gross=gross, rounding=original.rounding)
    if not any(before.values()) and sum(tax.net + tax.tax for tax in taxes) == original.gross:
        return _mirrored(original, reason)
    return Credit(tuple(_line(tax, original, before, reason) for tax in taxes), taxes)


def split(
    taxes: Sequence[TaxLine],
    before: Mapping[TaxCode, int],
    *,
    gross: int | None,
    rounding: Rounding,
) -> tuple[TaxLine, ...]:
    """Return what is credited of each rate: in proportion to what is left of it, to the minor unit.

    The tax follows the invoice: with C the gross of a rate credited so far, this note's with it,
    it is what C holds less what was within C before. So all notes together give back the net and
    the tax of each rate, never more, in whatever parts. Raises as `credit`. Rule: B-06, B-11.
    """
    ordered = sorted(taxes, key=lambda tax: tax.code)
    left = [tax.net + tax.tax - before.get(tax.code, 0) for tax in ordered]
    wanted = _wanted(gross, sum(left))
    parts = zip(ordered, _shares(wanted, left), strict=True)
    return tuple(
        _part(tax, before.get(tax.code, 0), share, rounding) for tax, share in parts if share
    )


def _wanted(gross: int | None, left: int) -> int:
    if gross is not None and gross <= 0:
        raise NotAnAmount(gross)
    if left == 0:
        raise NothingLeft
    if gross is not None and gross > left:
        raise MoreThanLeft(gross, left)
    return left if gross is None else gross


def _shares(wanted: int, left: Sequence[int]) -> list[int]:
    """Divide by the largest remainder; of two that are alike, the first gets the odd unit."""
    total = sum(left)
    shares = [wanted * each // total for each in left]
    by_remainder = sorted(range(len(left)), key=lambda at: -(wanted * left[at] % total))
    for at in by_remainder[: wanted - sum(shares)]:
        shares[at] += 1
    return shares


def _part(tax: TaxLine, before: int, gross: int, rounding: Rounding) -> TaxLine:
    part = tax_within(before + gross, tax.rate, rounding) - tax_within(before, tax.rate, rounding)
    return TaxLine(tax.code, tax.rate, gross - part, part)


def _mirrored(original: Original, reason: str) -> Credit:
    """Return the credit of a whole invoice: each line that cost something, given back."""
    lines = tuple(
        Line(
            LineKind.CREDIT,
            line.month,
            line.name_ja,
            line.name_en,
            line.plan_version_id,
            line.meter,
            line.quantity,
            line.net,
            line.tax_code,
            {"kind": "credit_of_line", "position": str(position), "reason": reason},
        )
        for position, line in enumerate(original.lines, 1)
        if line.net
    )
    codes = {line.tax_code for line in lines}
    return Credit(lines, tuple(tax for tax in original.taxes if tax.code in codes))


def _line(tax: TaxLine, original: Original, before: Mapping[TaxCode, int], reason: str) -> Line:
    billed = next(each for each in original.taxes if each.code == tax.code)
    explanation: dict[str, Json] = {
        "kind": "credit_of_rate",
        "tax_code": tax.code.value,
        "rate": written(tax.rate),
        "rounding": original.rounding.value,
        "billed_gross": str(billed.net + billed.tax),
        "billed_tax": str(billed.tax),
        "gross_before": str(before.get(tax.code, 0)),
        "gross": str(tax.net + tax.tax),
        "tax": str(tax.tax),
        "reason": reason,
    }
    return Line(
        LineKind.CREDIT,
        original.month,
        *_named(original),
        None,
        None,
        Decimal(1),
        tax.net,
        tax.code,
        explanation,
    )


def _named(original: Original) -> tuple[str, str]:
    """Return what a part is given back of, in Japanese and in English."""
    if original.order:
        return (
            f"スポット契約(ご注文 {original.order})の返還",
            f"Credit for spot order {original.order}",
        )
    month = original.month
    return (
        f"{month.year}年{month.month}月分の返還",
        f"Credit for {MONTHS[month.month - 1]} {month.year}",
    )
