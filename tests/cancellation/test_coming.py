"""What is to come, in the order of days: each case by hand."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation
from cancellation.rules.binding import BoundSpot
from cancellation.rules.coming import Kind, coming, held_after
from core import clock
from core.months import add_months
from plans.enums import Category, TaxCategory
from plans.rules import PlanTerms
from plans.rules.timeline import Timeline, renew, reprice, start
from tests import make
from tests.cancellation import leaving
from tests.ordering import customers
from tests.payments import spotted

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 11, 22, 12, tzinfo=TOKYO)


def _terms(code: str, *, net: int = 5_000, version: int = 1, is_free: bool = False) -> PlanTerms:
    return PlanTerms(
        version_id=version * 100 + len(code),
        version_number=version,
        category=Category.LICENCE,
        plan_code=code,
        name_ja=code,
        name_en=code,
        currency="JPY",
        net=net,
        accounts_per_step=10 if is_free else 100,
        is_free=is_free,
        tax_category=TaxCategory.STANDARD,
        meters=(),
    )


FREE, STARTER = _terms("free", net=0, is_free=True), _terms("starter")


def _contracted(*, first_on: date = date(2026, 11, 10), renews: bool = False) -> Timeline:
    """A month of Starter 100, from a day on."""
    return start(
        Timeline(free=FREE),
        STARTER,
        steps=1,
        first_on=first_on,
        months=1,
        renews=renews,
        now=datetime(2026, 11, 10, 9, tzinfo=TOKYO),
        zone=TOKYO,
    )


def _told(timeline: Timeline, *spots: BoundSpot, closed_on: date | None = None) -> list[object]:
    found = coming(timeline, spots, closed_on=closed_on, now=NOW, zone=TOKYO)
    return [(each.on, [item.kind for item in each.items]) for each in found]


SPOT = BoundSpot("SP-1", 100, date(2026, 12, 1), date(2027, 1, 1), is_paid=True)


def test_the_end_of_a_term_is_the_return_to_the_free_plan() -> None:
    assert _told(_contracted()) == [(date(2026, 12, 10), [Kind.FREE])]


def test_a_renewal_takes_the_place_of_the_return() -> None:
    renewed = renew(_contracted(), STARTER, steps=1, months=1, now=NOW, zone=TOKYO)

    assert _told(renewed) == [
        (date(2026, 12, 10), [Kind.RENEWED]),
        (date(2027, 1, 10), [Kind.FREE]),
    ]


def test_a_renewal_with_more_steps_is_told_of() -> None:
    renewed = renew(_contracted(), STARTER, steps=2, months=1, now=NOW, zone=TOKYO)

    assert _told(renewed) == [
        (date(2026, 12, 10), [Kind.RENEWED]),
        (date(2027, 1, 10), [Kind.FREE]),
    ]


def test_automatic_renewal_is_told_of_on_the_day_of_its_order() -> None:
    # A month's term is renewed 7 days before its end.
    assert _told(_contracted(renews=True)) == [
        (date(2026, 12, 3), [Kind.RENEWS]),
        (date(2026, 12, 10), [Kind.FREE]),
    ]


def test_a_contract_ordered_ahead_begins() -> None:
    ahead = _contracted(first_on=date(2026, 12, 1))

    assert _told(ahead) == [
        (date(2026, 12, 1), [Kind.BEGINS]),
        (date(2027, 1, 1), [Kind.FREE]),
    ]


def test_a_new_version_is_told_of() -> None:
    dearer = reprice(
        _contracted(),
        _terms("starter", net=6_000, version=2),
        datetime(2026, 12, 1, tzinfo=TOKYO),
    )

    assert _told(dearer)[0] == (date(2026, 12, 1), [Kind.REPRICED])


def test_a_spot_contract_begins_and_ends() -> None:
    assert _told(_contracted(), SPOT) == [
        (date(2026, 12, 1), [Kind.SPOT_BEGINS]),
        (date(2026, 12, 10), [Kind.FREE]),
        (date(2027, 1, 1), [Kind.SPOT_ENDS]),
    ]


def test_what_is_over_is_not_to_come() -> None:
    over = BoundSpot("SP-0", 100, date(2026, 10, 1), date(2026, 11, 1), is_paid=True)

    assert _told(_contracted(), over) == [(date(2026, 12, 10), [Kind.FREE])]


def test_a_last_day_ends_all_that_would_follow() -> None:
    assert _told(_contracted(renews=True), SPOT, closed_on=date(2026, 12, 1)) == [
        (date(2026, 12, 1), [Kind.CLOSES])
    ]


def test_what_comes_before_the_last_day_stays() -> None:
    early = BoundSpot("SP-2", 100, date(2026, 11, 25), date(2026, 12, 25), is_paid=True)

    assert _told(_contracted(), early, closed_on=date(2026, 12, 1)) == [
        (date(2026, 11, 25), [Kind.SPOT_BEGINS]),
        (date(2026, 12, 1), [Kind.CLOSES]),
    ]


def test_after_a_day_holds_what_begins_with_it() -> None:
    held = held_after(_contracted(), date(2026, 12, 10), TOKYO)[Category.LICENCE]

    assert held is not None
    assert held.terms == FREE


def _page(organisation: Organisation) -> str:
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(leaving.root(organisation))
    url = reverse("contract", kwargs={"organisation": organisation.public_id})
    return client.get(url).content.decode()


@pytest.mark.django_db
def test_the_tab_ends_with_the_cancellation() -> None:
    page = _page(leaving.customer())

    assert 'id="cancellation"' in page
    assert page.index('id="cancellation"') > page.index('id="orders"')
    assert "See what a cancellation means" in page


@pytest.mark.django_db
def test_the_tab_shows_until_when_a_cancelled_contract_runs() -> None:
    organisation = leaving.customer()
    leaving.cancelled(organisation, clock.now())

    page = _page(organisation)

    assert reverse("cancellation_withdraw", args=[organisation.public_id]) in page
    assert "See what a cancellation means" not in page


@pytest.mark.django_db
def test_the_list_says_what_is_paid_a_month_and_how_many_accounts_there_may_be() -> None:
    organisation = leaving.customer(plan="", support="")
    today = clock.now().astimezone(TOKYO).date()
    make.main_contract(organisation, customers.version("pro"), today, months=1, now=clock.now())

    page = _page(organisation)

    # The free plan after the month: no fee, and its ten accounts.
    row = page[page.index('id="coming"') :].split("<tbody>", 1)[1].split("</tbody>", 1)[0]
    assert f"{add_months(today, 1).day} " in row
    assert "¥0" in row
    assert ">10<" in row


def _buyer(*, months: int) -> Organisation:
    """A buyer whose term ends on 9 December, renewed for a year; 100 accounts more from 22 November on."""
    make.cancellation_terms()
    who = spotted.buyer()
    customers.method(who.organisation)
    spotted.place(who, months=months)
    return who.organisation


@pytest.mark.django_db
def test_a_renewal_that_a_spot_order_needs_is_not_offered_for_withdrawal() -> None:
    with clock.fixed_at(make.NOW):
        organisation = _buyer(months=2)

        page = _page(organisation)

    assert "It cannot be withdrawn, because spot order" in page
    assert "until 21 January 2027" in page
    assert reverse("order_withdraw", args=[organisation.public_id]) not in page


@pytest.mark.django_db
def test_a_renewal_that_nothing_needs_can_be_withdrawn() -> None:
    with clock.fixed_at(make.NOW):
        make.cancellation_terms()
        organisation = spotted.buyer().organisation

        page = _page(organisation)

    assert "The ordered renewal begins" in page
    assert reverse("order_withdraw", args=[organisation.public_id]) in page


@pytest.mark.django_db
def test_the_facts_of_a_cancelled_contract_are_those_until_its_last_day() -> None:
    with clock.fixed_at(make.NOW):
        make.cancellation_terms()
        organisation = spotted.buyer().organisation
        leaving.cancelled(organisation, make.NOW)

        page = _page(organisation)

    assert (
        "until 30 November 2026, because you have cancelled;"
        " it would have run until 9 December 2027"
    ) in page
    assert "Renew, add licences or end it" not in page


@pytest.mark.django_db
def test_who_has_left_is_not_told_of_a_free_plan_but_how_to_come_back() -> None:
    with clock.fixed_at(make.NOW):
        make.cancellation_terms()
        organisation = spotted.buyer().organisation
        leaving.cancelled(organisation, make.NOW)
    with clock.fixed_at(leaving.local(12, 1, 9)):
        page = _page(organisation)

    assert "Your contract ended with 30 November 2026" in page
    assert "No main contract" not in page
    assert reverse("cancellation_reopen", args=[organisation.public_id]) in page
    assert reverse("order_spot", args=[organisation.public_id]) not in page


@pytest.mark.django_db
def test_an_order_that_lapses_is_not_called_due() -> None:
    with clock.fixed_at(make.NOW):
        organisation = _buyer(months=2)
        client = Client(HTTP_ACCEPT_LANGUAGE="en")
        client.force_login(leaving.root(organisation))

        page = client.get(reverse("cancellation", args=[organisation.public_id])).content.decode()

    assert "which is not paid, is given up." in page
    assert "stays due" not in page


@pytest.mark.django_db
def test_after_a_cancellation_the_calendar_has_its_last_day_and_none_after_it() -> None:
    with clock.fixed_at(make.NOW):
        make.cancellation_terms()
        organisation = spotted.buyer().organisation
        leaving.cancelled(organisation, make.NOW)
        client = Client(HTTP_ACCEPT_LANGUAGE="en")
        client.force_login(leaving.root(organisation))

        dates = client.get(reverse("contract_ics", args=[organisation.public_id])).content.decode()

    days = [line for line in dates.splitlines() if line.startswith("DTSTART")]
    assert [line.rpartition(":")[2] for line in days] == ["20261110", "20261130"]


@pytest.mark.django_db
def test_who_has_left_is_told_of_each_order_how_to_come_back() -> None:
    with clock.fixed_at(make.NOW):
        make.cancellation_terms()
        organisation = spotted.buyer().organisation
        leaving.cancelled(organisation, make.NOW)
    with clock.fixed_at(leaving.local(12, 1, 9)):
        client = Client(HTTP_ACCEPT_LANGUAGE="en")
        client.force_login(leaving.root(organisation))
        page = client.get(reverse("order", args=[organisation.public_id])).content.decode()

    assert page.count("Your contract has ended, so nothing can be ordered.") == 7
