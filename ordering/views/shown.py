"""How plans are put into words. Rule: S1-13, S1-22, look.md 3 and 4."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from core import words
from core.money import written
from plans.enums import Category
from plans.models import Selection
from plans.rules import PlanTerms


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What is contracted of one category; `name` is empty where nothing is."""

    category: str
    name: str
    accounts: str
    price: str


def plan_rows(
    selected: dict[Category, Selection], terms: dict[int, PlanTerms]
) -> Sequence[PlanRow]:
    """Return what is contracted, by category, in their order."""
    return [_plan_row(category, selected.get(category), terms) for category in Category]


def _plan_row(
    category: Category, selected: Selection | None, terms: dict[int, PlanTerms]
) -> PlanRow:
    found = terms.get(selected.plan_version_id) if selected else None
    if selected is None or found is None:
        return PlanRow(str(category.label), "", "", "")
    steps = selected.steps
    name = found.name_ja if words.current().is_japanese else found.name_en
    accounts = "" if found.accounts_per_step is None else f"{found.accounts_per_step * steps:,}"
    price = _("free") if found.is_free else written(found.net * steps, found.currency)
    return PlanRow(str(category.label), name, accounts, price)
