import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, connections, transaction
from pytest_django import DjangoAssertNumQueries

from core.models import AuditEntry
from plans import queries, services
from plans.enums import Category
from plans.models import Selection
from plans.queries import Selected
from tests import make

pytestmark = pytest.mark.django_db

TOKYO = ZoneInfo("Asia/Tokyo")
APRIL = datetime(2026, 4, 1, tzinfo=TOKYO)
MAY = datetime(2026, 5, 1, tzinfo=TOKYO)
LONG_AGO = datetime(2026, 1, 5, 12, 0, tzinfo=TOKYO)


def local(month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("changes", "april", "may"),
    [
        pytest.param([(local(4, 10), "basic")], None, "basic", id="none to Basic on 10 April"),
        pytest.param(
            [(LONG_AGO, "basic"), (local(4, 10), "pro")],
            "basic",
            "pro",
            id="Basic to Pro on 10 April",
        ),
        pytest.param(
            [(LONG_AGO, "pro"), (local(4, 30, 23, 59), "basic")],
            "pro",
            "basic",
            id="Pro to Basic on 30 April 23:59",
        ),
        pytest.param(
            [(LONG_AGO, "pro"), (MAY - timedelta(microseconds=1), "basic")],
            "pro",
            "basic",
            id="Pro to Basic in the last instant of April",
        ),
        pytest.param(
            [(LONG_AGO, "pro"), (MAY, "basic")],
            "pro",
            "pro",
            id="Pro to Basic on 1 May 00:00",
        ),
        pytest.param(
            [(LONG_AGO, "pro"), (MAY + timedelta(microseconds=1), "basic")],
            "pro",
            "pro",
            id="Pro to Basic in the second instant of May",
        ),
        pytest.param(
            [(LONG_AGO, "basic"), (local(4, 3), "pro"), (local(4, 20), "basic")],
            "basic",
            "basic",
            id="Basic to Pro on 3 April, to Basic on 20 April",
        ),
        pytest.param(
            [(LONG_AGO, "basic"), (MAY, None)], "basic", None, id="cancelled, ends 30 April"
        ),
        pytest.param([(APRIL, "basic")], None, "basic", id="none to Basic on 1 April 00:00"),
    ],
)
def test_fee_selections_follow_the_table_of_plan_changes(
    changes: list[tuple[datetime, str | None]], april: str | None, may: str | None
) -> None:
    """Rule: S1-26, domain.md 3.4."""
    versions = {code: make.plan_version(code) for code in ("basic", "pro")}
    organisation = make.organisation()
    for (from_at, code), (until_at, _) in pairwise([*changes, (None, None)]):
        if code is not None and from_at is not None:
            make.selection(organisation, versions[code], from_at, until_at)

    fees = [queries.fee_selections([organisation.pk], at) for at in (APRIL, MAY)]

    assert fees == [
        [Selected(organisation.pk, Category.LICENCE, versions[code].pk, 1)] if code else []
        for code in (april, may)
    ]


def test_fee_selections_take_every_category_and_organisation_in_one_statement(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    licence = make.plan_version("starter")
    support = make.plan_version("help", category=Category.SUPPORT)
    first, second, other = (make.organisation() for _ in range(3))
    make.selection(first, licence, LONG_AGO, steps=3)
    make.selection(first, support, LONG_AGO)
    make.selection(second, licence, LONG_AGO, local(3, 1))
    make.selection(other, licence, LONG_AGO)

    with django_assert_num_queries(1):
        found = queries.fee_selections([first.pk, second.pk], APRIL)

    assert found == [
        Selected(first.pk, Category.LICENCE, licence.pk, 3),
        Selected(first.pk, Category.SUPPORT, support.pk, 1),
    ]


def test_selections_at_holds_from_the_first_instant_to_before_the_last() -> None:
    """Rule: S1-25."""
    basic, pro = make.plan_version("basic"), make.plan_version("pro")
    organisation = make.organisation()
    make.selection(organisation, basic, APRIL, MAY)
    make.selection(organisation, pro, MAY)

    codes = [
        {
            category: selection.plan_version.plan.code
            for category, selection in queries.selections_at(organisation, at).items()
        }
        for at in (
            APRIL - timedelta(microseconds=1),
            APRIL,
            MAY - timedelta(microseconds=1),
            MAY,
        )
    ]

    assert codes == [{}, {"licence": "basic"}, {"licence": "basic"}, {"licence": "pro"}]


def test_select_plan_ends_what_runs_in_the_category_and_leaves_the_other() -> None:
    basic, pro = make.plan_version("basic"), make.plan_version("pro")
    support = make.plan_version("help", category=Category.SUPPORT)
    organisation = make.organisation()
    for version, at in ((basic, LONG_AGO), (support, LONG_AGO), (pro, MAY)):
        services.select_plan(
            organisation_id=organisation.pk,
            version_id=version.pk,
            steps=2,
            from_at=at,
            actor=make.ACTOR,
            now=make.NOW,
        )

    rows = Selection.objects.order_by("category", "from_at")
    assert [
        (row.category, row.plan_version_id, row.steps, row.from_at, row.until_at) for row in rows
    ] == [
        ("licence", basic.pk, 2, LONG_AGO, MAY),
        ("licence", pro.pk, 2, MAY, None),
        ("support", support.pk, 2, LONG_AGO, None),
    ]
    entry = AuditEntry.objects.filter(chain=organisation.pk).order_by("-seq")[0]
    assert (entry.action, entry.details["version"]) == ("plan.selected", "pro v1")


def test_select_plan_again_changes_nothing() -> None:
    version = make.plan_version()
    organisation = make.organisation()
    first = make.selection(organisation, version, LONG_AGO)
    entries = AuditEntry.objects.count()

    again = services.select_plan(
        organisation_id=organisation.pk,
        version_id=version.pk,
        steps=1,
        from_at=MAY,
        actor=make.ACTOR,
        now=make.NOW,
    )

    assert again == first
    assert (Selection.objects.count(), AuditEntry.objects.count()) == (1, entries)


@pytest.mark.parametrize(
    ("currency", "from_at", "refusal"),
    [
        pytest.param("EUR", MAY, services.NoPrice, id="no price in the currency"),
        pytest.param("JPY", LONG_AGO, services.StartsTooEarly, id="as the running one begins"),
        pytest.param("JPY", local(1, 1), services.StartsTooEarly, id="before the running one"),
    ],
)
def test_select_plan_refuses_and_changes_nothing(
    currency: str, from_at: datetime, refusal: type[Exception]
) -> None:
    """Rule: B-12."""
    organisation = make.organisation(currency=currency)
    running = make.selection(
        organisation, make.plan_version("basic", prices={currency: 1}), LONG_AGO
    )
    entries = AuditEntry.objects.count()

    with pytest.raises(refusal):
        services.select_plan(
            organisation_id=organisation.pk,
            version_id=make.plan_version("pro").pk,
            steps=1,
            from_at=from_at,
            actor=make.ACTOR,
            now=make.NOW,
        )

    running.refresh_from_db()
    assert running.until_at is None
    assert (Selection.objects.count(), AuditEntry.objects.count()) == (1, entries)


def test_selections_never_overlap_in_a_category() -> None:
    version = make.plan_version()
    organisation = make.organisation()
    make.selection(organisation, version, APRIL, MAY)
    late = datetime(2026, 4, 30, 14, 59, 59, tzinfo=UTC)

    with pytest.raises(IntegrityError, match="selection_never_overlaps"), transaction.atomic():
        make.selection(organisation, version, late)
    make.selection(organisation, version, MAY)

    assert Selection.objects.count() == 2


def test_without_the_exclusion_constraint_selections_would_overlap() -> None:
    version = make.plan_version()
    organisation = make.organisation()
    make.selection(organisation, version, APRIL, MAY)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE plans_selection DROP CONSTRAINT selection_never_overlaps")

    make.selection(organisation, version, APRIL)

    assert Selection.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_who_select_at_once_leave_one_running_selection() -> None:
    """Rule: R5."""
    organisation = make.organisation()
    versions = [make.plan_version("basic"), make.plan_version("pro")]
    outcomes: list[str] = []
    both = threading.Barrier(2)

    def select(version_id: int) -> None:
        try:
            both.wait(10)
            services.select_plan(
                organisation_id=organisation.pk,
                version_id=version_id,
                steps=1,
                from_at=MAY,
                actor=make.ACTOR,
                now=make.NOW,
            )
            outcomes.append("selected")
        except services.StartsTooEarly:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=select, args=[version.pk]) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["refused", "selected"]
    assert Selection.objects.filter(until_at=None).count() == 1
