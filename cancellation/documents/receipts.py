"""What a receipt of a cancellation says, as ready strings in the organisation's language."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from accounts.enums import Language
from billing.documents import content as shared
from billing.documents.content import Party, day_written
from billing.documents.words import WORDS as OF_INVOICES
from cancellation.documents.words import WORDS
from cancellation.queries.receipts import HeldPlan, HeldSpot, Receipt
from plans.enums import Category


@dataclass(frozen=True, slots=True)
class Content:
    """One receipt, ready to be laid out. `rows`: what was shown, name and value."""

    language: str
    title: str
    number: str
    created: str
    accepted: str
    ordered_at: str
    ordered_by: str
    signed_in_at: str
    last_day: str
    issuer: Party
    registration_number: str
    support_email: str
    recipient: str
    honorific: str
    rows: tuple[tuple[str, str], ...]
    terms_number: int
    terms_title: str
    intro: str
    boxes: tuple[str, ...]
    notes: tuple[str, ...]


def content_of(receipt: Receipt, language: Language | None = None) -> Content:
    """Return what `receipt` says, in the organisation's language or, for a page, in another."""
    found, vendor = receipt.cancellation, receipt.vendor
    language = language or Language(found.organisation.language)
    is_japanese = language is Language.JA
    words, zone = WORDS[language], ZoneInfo(vendor.time_zone)

    return Content(
        language=language,
        title=words.title,
        number=receipt.number,
        created=found.ordered_at.isoformat(),
        accepted=words.accepted,
        ordered_at=_moment(found.ordered_at, zone, language),
        ordered_by=_who(found.ordered_by.name, found.ordered_by.email),
        signed_in_at=_moment(found.stepped_up_at, zone, language),
        last_day=day_written(receipt.last_on, language),
        issuer=shared.issuer_of(vendor, language),
        registration_number="",
        support_email=vendor.support_email,
        recipient=found.organisation.billing_name or found.organisation.name,
        honorific=OF_INVOICES[language].honorific,
        rows=tuple(_rows(receipt, language)),
        terms_number=found.terms.number,
        terms_title=found.terms.title_ja if is_japanese else found.terms.title_en,
        intro=found.terms.intro_ja if is_japanese else found.terms.intro_en,
        boxes=tuple(str(found.terms.boxes[place][language.value]) for place in found.ticked),
        notes=words.notes,
    )


def _moment(at: datetime, zone: ZoneInfo, language: Language) -> str:
    written: str = format_datetime(at, WORDS[language].moment, tzinfo=zone, locale=language)
    return f"{written} ({zone.key})"


def _who(name: str, email: str) -> str:
    return f"{name} ({email})" if name else email


def _rows(receipt: Receipt, language: Language) -> Iterator[tuple[str, str]]:
    words = WORDS[language]
    for each in receipt.plans:
        name = words.licence if each.category is Category.LICENCE else words.support
        yield name, _plan(each, language)
    if receipt.contract_last_on:
        is_early = receipt.contract_last_on > receipt.last_on
        sentence = words.contract_early if is_early else words.contract_until
        yield words.contract, sentence.format(day=day_written(receipt.contract_last_on, language))
    for spot in receipt.spots:
        name = words.spot if spot.is_paid else words.order
        yield name.format(number=spot.number), _spot(spot, receipt, language)
    yield words.accounts, words.accounts_after
    yield words.data, words.data_until.format(day=day_written(receipt.data_until, language))


def _plan(held: HeldPlan, language: Language) -> str:
    plan, per_step = held.version.plan, held.version.accounts_per_step
    name = plan.name_ja if language is Language.JA else plan.name_en
    return f"{name} {per_step * held.steps}" if per_step else name


def _spot(spot: HeldSpot, receipt: Receipt, language: Language) -> str:
    words = WORDS[language]
    sentence = words.spot_early if spot.last_on > receipt.last_on else words.spot_whole
    if not spot.is_paid:
        sentence = words.order_unpaid
    return sentence.format(
        accounts=spot.accounts,
        first=day_written(spot.first_on, language),
        last=day_written(spot.last_on, language),
    )
