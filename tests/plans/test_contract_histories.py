"""Random acts, stored one after the other, are read back as the rules made them. Rule: F46, I16."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Organisation
from core import books
from core.models import AuditEntry
from core.months import BillingMonth
from plans import queries, services
from plans.enums import Category
from plans.models import PlanVersion
from plans.queries import audit
from plans.queries.catalogue import Selected
from plans.rules import PlanTerms
from plans.rules import timeline as rules
from plans.rules.timeline import Refusal, Timeline
from tests import make
from tests.plans.spans import TOKYO, local

pytestmark = pytest.mark.django_db

FIRST = local(1, 20, 9)
ACTS = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["free", "basic", "pro", "help"]),
    st.sampled_from([1, 12]),
    st.integers(1, 3),
    st.sampled_from([timedelta(0), timedelta(hours=15), timedelta(days=11), timedelta(days=33)]),
)


@given(st.lists(ACTS, min_size=1, max_size=8), st.booleans())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_stored_is_what_the_rules_made(
    acts: list[tuple[int, str, int, int, timedelta]], has_free: bool
) -> None:
    sold = _sold_once()
    organisation = make.organisation()
    if has_free:
        make.selection(organisation, PlanVersion.objects.get(pk=sold["free"].version_id), FIRST)
    now, stored = FIRST, 0
    for number, code, months, steps, later in acts:
        now += later
        before = queries.timeline(organisation, now=now)
        try:
            after = _act(before, number, sold[code], months, steps, now)
        except Refusal:
            continue
        services.store(
            organisation_id=organisation.pk,
            before=before,
            after=after,
            action="contract.changed",
            details={},
            actor=make.ACTOR,
            now=now,
        )
        stored += 1
        read = queries.timeline(organisation, now=now)
        assert _without_ids(read) == _without_ids(after)
        _fees_agree(organisation, read)

    entries = AuditEntry.objects.filter(chain=organisation.pk).order_by("seq")
    assert entries.filter(action="contract.changed").count() == stored
    assert all(bytes(later.prev) == bytes(one.digest) for one, later in pairwise(entries))
    assert books.breaches(among=list(audit.CHECKS)) == []


def _act(
    timeline: Timeline, number: int, terms: PlanTerms, months: int, steps: int, now: datetime
) -> Timeline:
    match number:
        case 0:
            return rules.change(timeline, terms, now)
        case 1 | 2:
            return rules.start(
                timeline,
                terms,
                steps=steps,
                first_on=now.astimezone(TOKYO).date() + timedelta(days=(number - 1) * 11),
                months=months,
                renews=steps > 1,
                now=now,
                zone=TOKYO,
            )
        case 3:
            return rules.add_licences(timeline, steps, now=now, zone=TOKYO)
        case 4:
            return rules.renew(timeline, terms, steps=steps, months=months, now=now, zone=TOKYO)
        case _:
            return rules.withdraw_renewal(timeline, now=now, zone=TOKYO)


def _sold_once() -> dict[str, PlanTerms]:
    if not PlanVersion.objects.exists():
        make.vendor()
        make.free_plan()
        make.plan_version("basic", prices={"JPY": 1_000})
        make.plan_version("pro")
        make.plan_version("help", category=Category.SUPPORT)
    versions = {row.plan.code: row.pk for row in PlanVersion.objects.select_related("plan")}
    terms = queries.terms(versions.values(), "JPY")
    return {code: terms[version_id] for code, version_id in versions.items()}


def _without_ids(timeline: Timeline) -> Timeline:
    return replace(timeline, terms=tuple(replace(term, id=None) for term in timeline.terms))


def _fees_agree(organisation: Organisation, timeline: Timeline) -> None:
    """The month end finds the fees that the rules say. Rule: B-02."""
    for month in (BillingMonth(2026, 2), BillingMonth(2026, 3), BillingMonth(2026, 4)):
        at = month.starts_at(TOKYO)
        fees = {category: rules.fee_at(timeline.of(category), at) for category in Category}
        assert queries.fee_selections([organisation.pk], at) == [
            Selected(organisation.pk, category, span.terms.version_id, span.steps)
            for category, span in fees.items()
            if span is not None
        ]
