"""The tab Contract details, and its days for a calendar. Rule: S2-03, S2-13, domain.md 3.2."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation, User
from core import clock
from ordering import services
from ordering.rules.acts import AddLicences
from plans.models import MainContract
from plans.services import renewals
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.ordering.test_contract_orders import START, browser, order, words
from tests.payments.visits import url

pytestmark = pytest.mark.django_db

NOW = local(1, 31, 12)


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def kobo() -> Organisation:
    return customers.kobo("free")


def details(organisation: Organisation) -> Any:
    answer = browser(organisation).get(url("contract", organisation))
    assert answer.status_code == 200
    return answer.context


def facts(organisation: Organisation) -> dict[str, str]:
    return {each.name: each.value for each in details(organisation)["facts"]}


def test_without_a_contract_the_page_says_how_to_begin(kobo: Organisation) -> None:
    page = words(browser(kobo).get(url("contract", kobo)))

    assert "No main contract" in page
    assert url("order_start", kobo) in page
    assert "Dates for your calendar" not in page


def test_a_contract_is_told_with_its_days_and_what_follows(kobo: Organisation) -> None:
    order(kobo, "order_start", **START)

    with clock.fixed_at(local(2, 10)):
        assert facts(kobo) == {
            "Contract period": "31 January to 28 February 2026",
            "Last day": "28 February 2026",
            "Still to run": "19 days",
            "Renewal": "No renewal: the free plan follows on 1 March 2026.",
            "Plan": "Pro 200",
            "Fee": "¥11,000 a month, tax included (¥10,000 net)",
        }


def test_a_renewal_stands_beside_the_present_term(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"renews": "on"})
    order(kobo, "order_renew", plan="basic", steps="1", months="12")

    told = facts(kobo)

    assert told["Contract period"] == "31 January to 28 February 2026"
    assert told["Next term"] == "1 March 2026 to 28 February 2027"
    assert told["Last day"] == "28 February 2027"
    assert told["Still to run"] == "13 months"
    assert told["Renewal"] == (
        "Automatic: a next term of 12 months is ordered on 30 January 2027, at the price then on"
        " sale."
    )


def test_a_contract_that_is_to_begin_is_told(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"first_on": "2026-02-10"})

    assert facts(kobo)["Contract period"] == "10 February to 9 March 2026"
    assert [each.state for each in details(kobo)["terms"]] == ["ordered"]


def test_all_that_was_and_will_be_is_listed(kobo: Organisation) -> None:
    order(kobo, "order_start", **START)
    order(kobo, "order_renew", plan="pro", steps="2", months="1")
    order(kobo, "order_withdraw")
    with clock.fixed_at(local(2, 10, 9)):
        order(kobo, "order_licences", steps="1")
        context = details(kobo)

    assert [(each.period, each.state) for each in context["terms"]] == [
        ("1 March to 30 March 2026", "withdrawn"),
        ("31 January to 28 February 2026", "running"),
    ]
    assert [(each.plan, each.period, each.is_present) for each in context["spans"]] == [
        ("Free 10", "from 1 March 2026", False),
        ("Pro 300", "10 February to 28 February 2026", True),
        ("Pro 200", "31 January to 10 February 2026", False),
        ("Free 10", "1 January to 31 January 2026", False),
        ("Silver", "from 1 January 2026", True),
    ]
    assert [(each.title, each.when, each.who) for each in context["orders"]] == [
        ("Add licences", "10 February 2026, 09:00 JST", "Hanako Sato"),
        ("Withdraw the renewal", "31 January 2026, 12:00 JST", "Hanako Sato"),
        ("Renew the contract", "31 January 2026, 12:00 JST", "Hanako Sato"),
        ("Start a paid plan", "31 January 2026, 12:00 JST", "Hanako Sato"),
    ]


def test_a_renewal_by_itself_is_listed_among_the_orders(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"renews": "on"})
    contract = MainContract.objects.get()
    renewals.renew(contract_id=contract.pk, now=local(2, 22, 3))

    with clock.fixed_at(local(2, 22, 4)):
        first = details(kobo)["orders"][0]

    assert (first.title, first.when, first.who, first.review) == (
        "Renewed automatically: 1 March to 30 March 2026",
        "22 February 2026, 03:00 JST",
        "",
        None,
    )


def test_what_staff_ordered_for_a_customer_is_support_s(kobo: Organisation) -> None:
    staff = User.objects.create_superuser("staff@example.com", make.PASSWORD, registered_at=NOW)
    order(kobo, "order_start", **START)
    shown = services.review(organisation_id=kobo.pk, user_id=staff.pk, act=AddLicences(1), now=NOW)
    services.save(
        organisation_id=kobo.pk,
        review_id=shown.public_id,
        actor=f"user:{staff.pk}",
        now=NOW,
        reason="The customer asked by telephone.",
    )

    assert [(each.title, each.who) for each in details(kobo)["orders"]] == [
        ("Add licences", "Support"),
        ("Start a paid plan", "Hanako Sato"),
    ]


def test_anothers_contract_is_not_listed(kobo: Organisation) -> None:
    other = make.organisation(name="Hokuto Sensors", customer_since=date(2026, 1, 1))
    make.main_contract(other, customers.version("pro"), date(2026, 1, 10), now=local(1, 10, 12))

    assert details(kobo)["terms"] == []
    assert _calendar(kobo).count("BEGIN:VEVENT") == 0


# --- The calendar ---


def _calendar(organisation: Organisation, client: Client | None = None) -> str:
    answer = (client or browser(organisation)).get(url("contract_ics", organisation))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="contract.ics"'
    return str(answer.content.decode())


def _days(calendar: str) -> list[tuple[str, str]]:
    """Return each event's summary and day."""
    unfolded = calendar.replace("\r\n ", "").split("\r\n")
    summaries = [line[8:] for line in unfolded if line.startswith("SUMMARY:")]
    days = [line[19:] for line in unfolded if line.startswith("DTSTART;VALUE=DATE:")]
    return list(zip(summaries, days, strict=True))


def test_the_calendar_has_the_days_that_matter(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"months": "12", "renews": "on"})

    assert _days(_calendar(kobo)) == [
        ("Contract: first day", "20260131"),
        ("Contract: last day", "20270130"),
        ("Contract: automatic renewal", "20270101"),
    ]


def test_the_renewal_of_the_last_term_alone_is_in_the_calendar(kobo: Organisation) -> None:
    order(kobo, "order_start", **START | {"renews": "on"})
    order(kobo, "order_renew", plan="pro", steps="2", months="1")

    assert _days(_calendar(kobo)) == [
        ("Contract: first day", "20260131"),
        ("Contract: last day", "20260228"),
        ("Contract: first day", "20260301"),
        ("Contract: last day", "20260330"),
        ("Contract: automatic renewal", "20260324"),
    ]


def test_an_event_keeps_its_uid_and_what_is_over_leaves(kobo: Organisation) -> None:
    order(kobo, "order_start", **START)
    uid = f"UID:last-{MainContract.objects.get().public_id}@localhost"

    first = _calendar(kobo)
    with clock.fixed_at(local(2, 28)):
        assert _calendar(kobo) == first
    with clock.fixed_at(local(3, 1)):
        later = _calendar(kobo)

    assert uid in first
    assert "DTSTAMP:20260131T030000Z" in first
    assert "BEGIN:VEVENT" not in later


def test_a_withdrawn_term_is_not_in_the_calendar(kobo: Organisation) -> None:
    order(kobo, "order_start", **START)
    order(kobo, "order_renew", plan="pro", steps="2", months="1")
    order(kobo, "order_withdraw")

    assert [day for _, day in _days(_calendar(kobo))] == ["20260131", "20260228"]
