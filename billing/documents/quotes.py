"""A quotation: what a spot order would cost, as a PDF to show before it is placed. Nothing is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.enums import Language
from accounts.models import Organisation
from billing.documents import content
from billing.documents.content import Content, Fact, Party, Row, Sums
from billing.documents.words import QUOTE, WORDS, Words
from billing.enums import TaxCode
from billing.rules import explanations, spot
from billing.rules.explanations import SpotWhy
from billing.rules.facts import Line
from billing.rules.spot import Ordered, Totals
from core import canonical
from core.canonical import Json
from core.money import quantity_written, written
from core.months import start_of_day
from plans.models import VendorVersion
from plans.rules import PlanTerms
from spot_orders.rules.spot import Offer

# Longer than a purchase takes to be approved, short enough for a price list to be the same.
VALID_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Quote:
    """What is quoted, to whom, by whom. `quoted_on`, `valid_until`: days in the billing time zone."""

    offer: Offer
    totals: Totals
    organisation: Organisation
    vendor: VendorVersion
    quoted_on: date

    @property
    def valid_until(self) -> date:
        """The last day on which it can be ordered: it cannot once its first day is over."""
        return min(self.quoted_on + VALID_FOR, self.offer.wish.first_on)

    @property
    def number(self) -> str:
        """Return Q-, the day, and a digest of what it says: the same quotation has the same number."""
        return f"Q-{self.quoted_on:%Y%m%d}-{self._digest.hex()[:8].upper()}"

    @property
    def identifier(self) -> bytes:
        return UUID(bytes=self._digest[:16]).bytes

    @property
    def _digest(self) -> bytes:
        wish, totals, organisation = self.offer.wish, self.totals, self.organisation
        said: dict[str, Json] = {
            "organisation": str(organisation.public_id),
            "recipient": [
                organisation.billing_name,
                organisation.billing_postal_code,
                organisation.billing_address,
            ],
            "vendor": self.vendor.pk,
            "quoted_on": self.quoted_on.isoformat(),
            "currency": self.offer.currency,
            "accounts": wish.accounts,
            "first_on": wish.first_on.isoformat(),
            "end_on": wish.end_on.isoformat(),
            "months": [
                [month.first_on.isoformat(), month.version_id, month.steps, month.unit_net]
                for month in self.offer.months
            ],
            "tax": [totals.code.value, totals.rounding.value, totals.tax],
        }
        return canonical.digest(said)


def quote(
    offer: Offer,
    totals: Totals,
    *,
    organisation: Organisation,
    vendor: VendorVersion,
    now: datetime,
) -> Quote:
    """Return the quotation of an offer, dated today. Rule: S2-22."""
    today = now.astimezone(ZoneInfo(vendor.time_zone)).date()
    return Quote(offer, totals, organisation, vendor, today)


class NotWritable(RuntimeError):
    """No installed font can write what it says: a name in letters of far away, or a picture."""


def render_quote(of: Quote, language: Language) -> bytes:
    """Return a quotation as PDF: the same bytes for the same quotation, whenever it is asked for.

    It takes about a second. Raises NotWritable.
    """
    # WeasyPrint is large, and few web processes ever need it.
    from billing.documents import render

    source = render.html_of(content_of(of, language))
    try:
        return render.pdf_of(source, identifier=of.identifier)
    except render.GlyphsMissing as missing:
        raise NotWritable(*missing.args) from missing


def file_name(of: Quote, language: Language) -> str:
    return f"{WORDS[language].labels[QUOTE].title}_{of.number}.pdf"


def content_of(of: Quote, language: Language) -> Content:
    """Return what a quotation says, in a language."""
    words = WORDS[language]
    labels = words.labels[QUOTE]
    offer, totals, vendor, organisation = of.offer, of.totals, of.vendor, of.organisation
    last_on = offer.wish.end_on - timedelta(days=1)
    period = content.span_written(offer.wish.first_on, last_on, language)
    return Content(
        language=language,
        labels=labels,
        columns=words.columns,
        number=of.number,
        created=start_of_day(of.quoted_on, ZoneInfo(vendor.time_zone)).isoformat(),
        head=(
            Fact(labels.number, of.number),
            Fact(labels.issued_on, content.day_written(of.quoted_on, language)),
        ),
        terms=(
            Fact(labels.valid_until, content.day_written(of.valid_until, language)),
            Fact(labels.accounts, f"+{quantity_written(Decimal(offer.wish.accounts))}"),
            Fact(labels.period, period),
        ),
        issuer=content.issuer_of(vendor, language),
        registration_number=vendor.registration_number,
        support_email=vendor.support_email,
        recipient=Party(
            organisation.billing_name,
            content.address_of(
                organisation.billing_postal_code, organisation.billing_address, language
            ),
        ),
        honorific=words.honorific,
        rows=tuple(_rows(of, language)),
        sums=Sums(
            taxes=(content.tax_row(totals.code, totals.net, totals.tax, offer.currency, words),),
            net=written(totals.net, offer.currency),
            tax=written(totals.tax, offer.currency),
            gross=written(totals.gross, offer.currency),
        ),
        notes=tuple(_notes(of, language, words)),
        period=period,
    )


def _rows(of: Quote, language: Language) -> Iterator[Row]:
    terms: Mapping[int, PlanTerms] = {span.terms.version_id: span.terms for span in of.offer.spans}
    ordered = Ordered(
        number="",
        accounts=of.offer.wish.accounts,
        end_on=of.offer.wish.end_on,
        months=of.offer.months,
        terms=terms,
        code=of.totals.code,
        rounding=of.totals.rounding,
    )
    lines: Sequence[Line] = spot.lines(ordered)
    for position, line in enumerate(lines, 1):
        yield _row(position, line, of.offer.currency, language)


def _row(position: int, line: Line, currency: str, language: Language) -> Row:
    why = explanations.parse(line.explanation)
    if not isinstance(why, SpotWhy):
        raise TypeError(f"a quotation has months of a spot contract alone: {why!r}")
    words = WORDS[language]
    one, several = words.spot_unit
    return Row(
        position=position,
        mark="※" if line.tax_code is TaxCode.JP8R else "",
        title=line.name_ja if language is Language.JA else line.name_en,
        detail=content.spot_detail(why, currency, words),
        quantity=quantity_written(line.quantity),
        unit=one if why.months == 1 else several,
        net=written(line.net, currency),
        tail=content.tail_of(why, language),
    )


def _notes(of: Quote, language: Language, words: Words) -> Iterator[str]:
    yield from words.quote_notes
    yield from content.rate_notes({of.totals.code}, words)
    if of.totals.code is not TaxCode.OUT_OF_SCOPE:
        yield content.rounding_note(of.totals.rounding, of.offer.currency, language)
