"""What organisations have contracted over time. Money is read fresh, and so is all of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts.models import Organisation
from plans.enums import Category
from plans.models import MainContract, PlanPrice, Selection
from plans.queries import catalogue
from plans.rules import PlanTerms, renewals
from plans.rules.timeline import Span, Term, Timeline


class NotPriced(LookupError):
    """A selected version has no price in the organisation's currency. Rule: B-12."""


def timeline(organisation: Organisation, *, now: datetime) -> Timeline:
    """Return all that an organisation has contracted, in six statements whatever that is.

    `free` is the version of the free plan that is on sale at `now`. Raises NotPriced, NoVendor.
    Rule: S1-25, S1-26.
    """
    return timelines([organisation], now=now)[organisation.pk]


def timelines(organisations: Sequence[Organisation], *, now: datetime) -> dict[int, Timeline]:
    """Return what `timeline` does for many, by id: four statements, and two for each currency."""
    today = now.astimezone(catalogue.vendor_zone()).date()
    ids = [organisation.pk for organisation in organisations]
    free = _free_versions({organisation.currency for organisation in organisations}, today)
    selections: dict[int, list[Selection]] = defaultdict(list)
    for row in Selection.objects.filter(organisation__in=ids).order_by("from_at"):
        selections[row.organisation_id].append(row)
    contracts: dict[int, list[MainContract]] = defaultdict(list)
    for contract in standing(ids):
        contracts[contract.organisation_id].append(contract)
    terms = _terms(organisations, selections, free)
    return {
        organisation.pk: _timeline(
            selections[organisation.pk],
            contracts[organisation.pk],
            terms[organisation.currency],
            free.get(organisation.currency),
        )
        for organisation in organisations
    }


def standing(organisation_ids: Iterable[int]) -> QuerySet[MainContract]:
    """Return the main contracts that were not withdrawn, of each organisation in their order."""
    return MainContract.objects.filter(
        organisation__in=list(organisation_ids), withdrawn_at=None
    ).order_by("organisation_id", "first_on")


def term(contract: MainContract) -> Term:
    """Return a stored main contract as the rules know it."""
    return Term(
        contract.anchor_on,
        contract.months_before,
        contract.months,
        contract.pk,
        contract.cut_on,
    )


def to_renew(today: date) -> QuerySet[MainContract]:
    """Return the main contracts whose next term is to be ordered without anybody's doing by `today`.

    Also those that could not be: staff may have them tried again. Rule: S2-13.
    """
    return _renewing().filter(_ends_within(renewals.ORDERED_BEFORE, today))


def to_announce(today: date) -> QuerySet[MainContract]:
    """Return the main contracts whose root is to be told by `today` that they are going to renew."""
    return (
        _renewing()
        .filter(
            _ends_within(renewals.TOLD_BEFORE, today),
            renewal_told_at=None,
            organisation__closed_on=None,
        )
        .exclude(_ends_within(renewals.ORDERED_BEFORE, today))
    )


def _renewing() -> QuerySet[MainContract]:
    """Return what renews, is its organisation's last, and is of one that stays a customer beyond it.

    Who cancelled keeps the plan until the last day, and so a term that ends before it is renewed.
    """
    later = MainContract.objects.filter(
        organisation=OuterRef("organisation"),
        withdrawn_at=None,
        first_on__gt=OuterRef("first_on"),
    )
    return (
        MainContract.objects.filter(
            Q(organisation__closed_on=None) | Q(organisation__closed_on__gt=F("end_on")),
            ~Exists(later),
            withdrawn_at=None,
            renews=True,
        )
        .select_related("organisation")
        .order_by("end_on", "pk")
    )


def _ends_within(days: Mapping[int, timedelta], today: date) -> Q:
    """Return the condition that a term ends so soon, by how many months it has."""
    found = Q()
    for months, before in days.items():
        found |= Q(months=months, end_on__lte=today + before)
    return found


def _free_versions(currencies: Iterable[str], day: date) -> dict[str, int]:
    """Return, by currency, the version of the free licence plan that is on sale on a day."""
    rows = (
        PlanPrice.objects.filter(
            currency__in=set(currencies),
            version__plan__is_free=True,
            version__plan__category=Category.LICENCE,
            version__on_sale_from__lte=day,
        )
        .filter(Q(version__on_sale_until=None) | Q(version__on_sale_until__gt=day))
        .order_by("version__plan__position", "version__plan_id", "-version__number")
        .values_list("currency", "version_id")
    )
    found: dict[str, int] = {}
    for currency, version_id in rows:
        found.setdefault(currency, version_id)
    return found


def _terms(
    organisations: Iterable[Organisation],
    selections: Mapping[int, Sequence[Selection]],
    free: Mapping[str, int],
) -> dict[str, dict[int, PlanTerms]]:
    """Return what the versions in use promise, by currency and version."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for organisation in organisations:
        wanted[organisation.currency].update(
            row.plan_version_id for row in selections.get(organisation.pk, ())
        )
    for currency, version_id in free.items():
        wanted[currency].add(version_id)
    return {currency: catalogue.terms(ids, currency) for currency, ids in wanted.items()}


def _timeline(
    selections: Sequence[Selection],
    contracts: Sequence[MainContract],
    terms: Mapping[int, PlanTerms],
    free: int | None,
) -> Timeline:
    spans: dict[str, list[Span]] = {category.value: [] for category in Category}
    for row in selections:
        promised = terms.get(row.plan_version_id)
        if promised is None:
            raise NotPriced(f"version {row.plan_version_id} of organisation {row.organisation_id}")
        spans[row.category].append(Span(promised, row.steps, row.from_at, row.until_at))
    return Timeline(
        licence=tuple(spans[Category.LICENCE]),
        support=tuple(spans[Category.SUPPORT]),
        terms=tuple(term(contract) for contract in contracts),
        renews=bool(contracts) and contracts[-1].renews,
        free=None if free is None else terms[free],
    )
