from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Organisation
from core.models import AuditEntry
from plans import queries
from plans.enums import Category
from plans.models import PlanVersion, Selection
from tests import make

pytestmark = pytest.mark.django_db

TOKYO = ZoneInfo("Asia/Tokyo")


def local(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=TOKYO).astimezone(UTC)


def rows(category: Category = Category.LICENCE) -> list[tuple[Any, ...]]:
    return list(
        Selection.objects.filter(category=category)
        .order_by("from_at")
        .values_list("plan_version__plan__code", "steps", "from_at", "until_at")
    )


def terms_of(version: PlanVersion, currency: str = "JPY") -> Any:
    return queries.terms([version.pk], currency)[version.pk]


@pytest.fixture
def org() -> Organisation:
    make.vendor()
    organisation = make.organisation()
    make.selection(organisation, make.free_plan(), local(1, 5, 12))
    return organisation


def test_a_main_contract_is_stored_with_the_free_plan_before_and_after_it(
    org: Organisation,
) -> None:
    """Rule: S2-12, domain.md 3.2."""
    contract = make.main_contract(
        org, make.plan_version(), date(2026, 1, 31), months=1, steps=2, now=local(1, 10, 9)
    )

    assert rows() == [
        ("free", 1, local(1, 5, 12), local(1, 31)),
        ("starter", 2, local(1, 31), local(3, 1)),
        ("free", 1, local(3, 1), None),
    ]
    assert (contract.first_on, contract.end_on) == (date(2026, 1, 31), date(2026, 3, 1))
    entry = AuditEntry.objects.filter(chain=org.pk).latest("seq")
    assert (entry.action, entry.details["after"]["licence"][1]) == (
        "contract.started",
        {
            "version": "starter v1",
            "steps": 2,
            "from_at": "2026-01-30T15:00:00+00:00",
            "until_at": "2026-02-28T15:00:00+00:00",
        },
    )
