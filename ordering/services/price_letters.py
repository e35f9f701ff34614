"""What roots are told by mail of price changes: before and after, tax included, and from when.

Whom a price change reaches is stored by plans; here they are told, once each, a page at a time. Who has
no root that can sign in is told nothing. Rule: B-02, R2.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import queries as accounts
from accounts.enums import Language
from accounts.models import Organisation
from core import letters
from core.money import quantity_written, unit_price_written
from core.months import BillingMonth
from core.templatetags.writing import money_in_text
from ordering import jobs
from ordering.queries import proposals
from ordering.rules.prices import price
from plans import queries as plans
from plans.models import Repricing
from plans.queries import price_changes
from plans.rules import MeterTerms, PlanTerms
from plans.rules import price_changes as rules
from plans.rules.timeline import Span
from plans.services.letters import to_root

_A_PAGE = 200


class Row(NamedTuple):
    """What changes, in words: `before` and `after` are the same where it does not."""

    label: str
    before: str
    after: str


class _Told(NamedTuple):
    """What one root is told of."""

    repricing: Repricing
    organisation: Organisation
    had: Span
    terms: PlanTerms
    zone: ZoneInfo


@transaction.atomic
def plan(now: datetime) -> None:
    """Ask for a page of roots to be told, where any are left. Rule: R1."""
    if price_changes.to_tell().exists():
        jobs.TELL_OF_PRICES.enqueue(key="page", due_at=now)


@transaction.atomic
def tell(now: datetime) -> None:
    """Tell a page of roots of price changes, or of their withdrawal, that they were not told of."""
    page = list(
        price_changes.to_tell()
        .select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("organisation", "price_change")[:_A_PAGE]
    )
    readers = accounts.addressees({each.organisation_id for each in page})
    posted = []
    for each in _to_tell(page):
        reader = readers.get(each.organisation.pk)
        if reader is not None:
            with translation.override(reader.language):
                values = _values(each, reader.language)
            is_undone = each.repricing.undone_at is not None
            posted.append(to_root(reader, _template(is_undone=is_undone), values))
    letters.post(posted, now)
    told = [each.pk for each in page if each.undone_at is None]
    undone = [each.pk for each in page if each.undone_at is not None]
    Repricing.objects.filter(pk__in=told).update(told_at=now)
    Repricing.objects.filter(pk__in=undone).update(undone_told_at=now)


def _template(*, is_undone: bool) -> str:
    return "price_change_withdrawn" if is_undone else "price_change"


def _to_tell(page: Sequence[Repricing]) -> list[_Told]:
    """Return what each is told of; the terms of a currency are read at once."""
    found: list[_Told] = []
    zone = plans.vendor_zone()
    for currency in sorted({each.organisation.currency for each in page}):
        rows = [each for each in page if each.organisation.currency == currency]
        had = price_changes.spans(rows, currency)
        new = plans.terms({each.price_change.version_id for each in rows}, currency)
        found += [
            _Told(
                each,
                each.organisation,
                had[each.pk][0],
                new[each.price_change.version_id],
                zone,
            )
            for each in rows
        ]
    return found


def _values(told: _Told, language: str) -> dict[str, object]:
    on = max(rules.first_day(told.had, told.zone), told.repricing.price_change.effective_on)
    return {
        "terms": told.terms,
        "steps": told.had.steps,
        "from_on": on,
        "rows": _rows(told, on, is_japanese=language == Language.JA),
        "is_licence": told.terms.accounts_per_step is not None,
    }


def _rows(told: _Told, on: date, *, is_japanese: bool) -> list[Row]:
    """Return the prices, and whatever else changes."""
    party = proposals.party(told.organisation, plans.vendor_for_pages())
    currency, month, steps = told.terms.currency, BillingMonth.of_day(on), told.had.steps
    old, new = told.had.terms, told.terms
    before, after = (price(each, steps, party, month) for each in (old, new))
    rows = [
        Row(
            _("Price a month, tax included"),
            money_in_text(before.gross, currency),
            money_in_text(after.gross, currency),
        ),
        Row(
            _("Tax excluded"),
            money_in_text(before.net, currency),
            money_in_text(after.net, currency),
        ),
        Row(_("Accounts"), _accounts(old, steps), _accounts(new, steps)),
        *_of_meters(old, new, is_japanese=is_japanese),
    ]
    return [*rows[:2], *(row for row in rows[2:] if row.before != row.after)]


def _accounts(terms: PlanTerms, steps: int) -> str:
    return f"{terms.accounts_per_step * steps:,}" if terms.accounts_per_step else ""


def _of_meters(old: PlanTerms, new: PlanTerms, *, is_japanese: bool) -> list[Row]:
    """Return what is included of each meter, and what more costs, before and after."""
    promised: list[Mapping[str, MeterTerms]] = [
        {each.meter.code: each for each in terms.meters} for terms in (old, new)
    ]
    rows = []
    for code in dict.fromkeys([*promised[0], *promised[1]]):
        before, after = (each.get(code) for each in promised)
        meter = (before or after or new.meters[0]).meter
        name = meter.name_ja if is_japanese else meter.name_en
        rows += [
            Row(
                _("%(meter)s, included") % {"meter": name},
                _included(before),
                _included(after),
            ),
            Row(
                _("%(meter)s, each beyond that (tax excluded)") % {"meter": name},
                _beyond(before, old.currency),
                _beyond(after, new.currency),
            ),
        ]
    return rows


def _included(promised: MeterTerms | None) -> str:
    return _("not charged") if promised is None else quantity_written(promised.included)


def _beyond(promised: MeterTerms | None, currency: str) -> str:
    if promised is None:
        return _("not charged")
    tiers = [unit_price_written(tier.unit_price, currency) for tier in promised.tiers]
    return _(", then ").join(tiers) or _("free")
