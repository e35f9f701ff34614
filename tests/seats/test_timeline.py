"""The seat timeline as it is read, drawn and written: one set of numbers. Rule: design.md 6.4."""

import re
from datetime import date, timedelta

import pytest
from django.utils import translation

from accounts.models import Membership, Organisation
from ordering.views import seat_timeline as drawing
from seats.queries import timeline
from seats.rules import seat_timeline
from seats.rules.seat_timeline import Segment
from seats.services import accounts
from spot_orders.rules.spot import Wish
from tests import make
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

NOW = at(4, 20, 12)
APRIL = date(2026, 4, 1)


@pytest.fixture
def root(db: None) -> Membership:
    return customers.customer(customers.catalogue())


@pytest.fixture
def kobo(root: Membership) -> Organisation:
    """Sixteen accounts: ten places, ten more by spot in April."""
    organisation = root.organisation
    customers.people(organisation, 9, at(2, 1))
    customers.spot(organisation, 10, APRIL)
    customers.people(organisation, 6, at(4, 3))
    return organisation


def shown(organisation: Organisation) -> list[tuple[date, date, int | None, int]]:
    found = timeline.shown(organisation, now=NOW)
    return [(each.first_on, each.end_on, each.allowed, each.in_use) for each in found.segments]


def test_the_timeline_of_a_spot_contract(kobo: Organisation) -> None:
    assert shown(kobo) == [
        (date(2026, 3, 1), date(2026, 4, 1), 10, 10),
        (date(2026, 4, 1), date(2026, 4, 3), 20, 10),
        (date(2026, 4, 3), date(2026, 4, 21), 20, 16),
        (date(2026, 4, 21), date(2026, 5, 1), 20, 16),
        (date(2026, 5, 1), date(2027, 1, 1), 10, 10),
        (date(2027, 1, 1), date(2027, 2, 1), 3, 3),
    ]


def test_who_came_back_was_not_in_use_meanwhile(kobo: Organisation) -> None:
    """Deactivated on 6 April and back on 10 April, though its row says neither any more."""
    away = kobo.memberships.latest("registered_at", "pk")
    deleted = kobo.memberships.order_by("-registered_at", "-pk")[1]
    accounts.deactivate(
        organisation_id=kobo.pk, membership_ids=[away.pk], actor=make.ACTOR, now=at(4, 6, 9)
    )
    accounts.reactivate(
        organisation_id=kobo.pk, membership_ids=[away.pk], actor=make.ACTOR, now=at(4, 10, 9)
    )
    accounts.delete(
        organisation_id=kobo.pk, membership_ids=[deleted.pk], actor=make.ACTOR, now=at(4, 12, 9)
    )

    assert shown(kobo)[2:7] == [
        (date(2026, 4, 3), date(2026, 4, 6), 20, 16),
        (date(2026, 4, 6), date(2026, 4, 10), 20, 15),
        (date(2026, 4, 10), date(2026, 4, 12), 20, 16),
        (date(2026, 4, 12), date(2026, 4, 21), 20, 15),
        (date(2026, 4, 21), date(2026, 5, 1), 20, 15),
    ]


def test_picture_table_and_rule_say_the_same(kobo: Organisation) -> None:
    wished = seat_timeline.with_wish(
        timeline.shown(kobo, now=NOW).capacity, Wish(10, date(2026, 5, 10), 2), customers.TOKYO
    )
    found = timeline.shown(kobo, now=NOW, capacity=wished)

    with translation.override("en"):
        drawn = drawing.drawn(found)

    days = _by_day(found.segments)
    areas: dict[date, dict[str, int]] = {day: {} for day in days}
    for area in _elements(drawn.picture, "data-part"):
        for day in _days(area):
            areas[day][area["part"]] = areas[day].get(area["part"], 0) + int(area["accounts"])
    used = {
        day: int(line["in-use"])
        for line in _elements(drawn.picture, "data-in-use")
        for day in _days(line)
    }
    for day, segment in days.items():
        wish = sum(accounts for order_id, accounts in segment.spots if order_id == 0)
        assert areas[day].get("main", 0) == segment.main
        assert areas[day].get("spot", 0) == segment.spot_accounts - wish
        assert areas[day].get("wish", 0) == wish
        assert sum(areas[day].values()) == segment.allowed
        assert used[day] == segment.in_use
    assert [(row.allowed, row.in_use, row.spots) for row in drawn.rows] == [
        ("10", "10", ""),
        ("20", "10", "10"),
        ("20", "16", "10"),
        ("20", "16 (planned)", "10"),
        ("10", "10 (planned)", ""),
        ("20", "10 (planned)", "10 (not ordered yet)"),
        ("10", "10 (planned)", ""),
        ("3", "3 (planned)", ""),
    ]
    assert [key.kind for key in drawn.keys] == ["main", "spot", "wish", "use"]


def test_the_picture_names_each_coming_end_in_words(kobo: Organisation) -> None:
    with translation.override("en"):
        picture = drawing.shown(kobo, now=NOW).picture

    assert "spot +10 until 30 Apr" in picture
    assert "main contract until 31 Dec" in picture
    assert "style=" not in picture
    assert "<script" not in picture


def test_a_plan_without_limit_is_told_in_a_sentence(db: None) -> None:
    make.vendor()
    make.free_plan()
    version = make.plan_version("boundless", accounts_per_step=None)
    organisation = make.organisation(now=at(1, 1))
    make.member(organisation, now=at(1, 1))
    make.selection(organisation, version, at(1, 1))

    with translation.override("en"):
        drawn = drawing.shown(organisation, now=NOW)

    assert drawn.sentence == "Your plan does not limit the number of accounts; 1 account is in use."
    assert (drawn.picture, drawn.rows) == ("", ())


def _by_day(segments: tuple[Segment, ...]) -> dict[date, Segment]:
    return {
        each.first_on + timedelta(days=n): each
        for each in segments
        for n in range((each.end_on - each.first_on).days)
    }


def _elements(picture: str, having: str) -> list[dict[str, str]]:
    return [
        dict(re.findall(r'data-([a-z-]+)="([^"]*)"', element))
        for element in re.findall(r"<[^>]+>", picture)
        if having in element
    ]


def _days(element: dict[str, str]) -> list[date]:
    first, until = (date.fromisoformat(element[name]) for name in ("from", "until"))
    return [first + timedelta(days=n) for n in range((until - first).days)]
