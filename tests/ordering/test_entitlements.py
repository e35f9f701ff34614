"""What the vendor's product is told of what an organisation may use. Rule: S1-25, design.md 1."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts import services as accounts
from accounts.models import Membership, Organisation
from core import clock
from core.months import BillingMonth
from payments.enums import PayableState
from payments.models import Payable
from plans import queries as plans
from plans.enums import Aggregation, Category
from plans.models import MainContract, Meter
from tests import make
from tests.payments import owing
from usage import queries as usage
from usage.models import DailyUsage

pytestmark = pytest.mark.django_db

NOW = make.NOW  # 14:00 on 22 November 2026 in Tokyo
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def aoba() -> Organisation:
    make.vendor()
    return make.organisation(reference="aoba")


def key(organisation: Organisation | None = None) -> str:
    _, presented = accounts.create_api_key(
        label="product",
        actor=make.ACTOR,
        now=NOW,
        organisation_id=organisation.pk if organisation else None,
    )
    return presented


def ask(
    presented: str,
    reference: str = "aoba",
    *,
    now: datetime = NOW,
    method: str = "GET",
    **headers: str,
) -> Any:
    with clock.fixed_at(now):
        return Client().generic(
            method,
            f"/api/v1/organisations/{reference}/entitlements",
            headers={"Authorization": f"Bearer {presented}", **headers},
        )


def told(organisation: Organisation, *, now: datetime = NOW) -> dict[str, Any]:
    answer = ask(key(), organisation.reference, now=now)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def used(organisation: Organisation, meter: Meter, day: date, quantity: Decimal | int) -> None:
    DailyUsage.objects.create(
        organisation=organisation, day=day, meter=meter, quantity=quantity, events=1
    )


def test_everything_that_an_organisation_may_use_is_told(aoba: Organisation) -> None:
    calls = make.meter("api_calls")
    devices = make.meter("devices", aggregation=Aggregation.MAX, position=2)
    make.free_plan()
    starter = make.plan_version("starter", accounts_per_step=100)
    make.meter_price(starter, calls, included=100_000, tiers=[("10000", "0.01"), (None, "0.004")])
    gold = make.plan_version("gold", category=Category.SUPPORT)
    make.main_contract(aoba, starter, date(2026, 4, 1), steps=2, renews=True)
    make.selection(aoba, gold, SINCE)
    make.member(aoba)
    make.member(aoba)
    used(aoba, calls, date(2026, 10, 31), 7)
    used(aoba, calls, date(2026, 11, 1), Decimal("12.5"))
    used(aoba, calls, date(2026, 11, 21), 100)
    used(aoba, devices, date(2026, 11, 3), 40)

    assert told(aoba) == {
        "organisation": "aoba",
        "as_of": "2026-11-22",
        "month": "2026-11",
        "licence": {
            "plan": "starter",
            "version": 1,
            "steps": 2,
            "until": "2027-03-31T15:00:00+00:00",
        },
        "support": {"plan": "gold", "version": 1, "steps": 1, "until": None},
        "accounts": {"allowed": 200, "in_use": 2},
        "meters": [
            {
                "code": "api_calls",
                "unit": "calls",
                "included": "100000",
                "included_this_month": "100000",
                "used": "112.5",
                "priced": True,
            },
            {
                "code": "devices",
                "unit": "calls",
                "included": None,
                "included_this_month": None,
                "used": "40",
                "priced": False,
            },
        ],
        "contract": {"first_on": "2026-04-01", "last_on": "2027-03-31", "renews": True},
        "overdue": False,
        "closed_on": None,
    }


def test_an_organisation_without_anything_may_use_nothing(aoba: Organisation) -> None:
    assert told(aoba) == {
        "organisation": "aoba",
        "as_of": "2026-11-22",
        "month": "2026-11",
        "licence": None,
        "support": None,
        "accounts": {"allowed": 0, "in_use": 0},
        "meters": [],
        "contract": None,
        "overdue": False,
        "closed_on": None,
    }


def test_a_change_holds_from_its_very_instant(aoba: Organisation) -> None:
    small = make.plan_version("small", accounts_per_step=10)
    large = make.plan_version("large", accounts_per_step=None)
    meter = make.meter()
    make.meter_price(small, meter, included=10)
    make.meter_price(large, meter, included=1_000, tiers=[(None, "1")])
    make.selection(aoba, small, SINCE, NOW)
    make.selection(aoba, large, NOW)

    before = told(aoba, now=NOW - timedelta(microseconds=1))
    after = told(aoba)

    assert (before["licence"]["plan"], after["licence"]["plan"]) == ("small", "large")
    assert (before["accounts"]["allowed"], after["accounts"]["allowed"]) == (10, None)
    assert (before["meters"][0]["included"], after["meters"][0]["included"]) == ("10", "1000")
    assert (before["meters"][0]["priced"], after["meters"][0]["priced"]) == (False, True)
    # The month is billed by what was in force when it began (B-02, B-03).
    assert after["meters"][0]["included_this_month"] == "10"


def test_a_change_at_the_first_instant_of_a_month_is_billed_from_the_next(
    aoba: Organisation,
) -> None:
    begins_at = datetime(2026, 10, 31, 15, tzinfo=UTC)
    small, large = make.plan_version("small"), make.plan_version("large")
    meter = make.meter()
    make.meter_price(small, meter, included=10)
    make.meter_price(large, meter, included=1_000)
    make.selection(aoba, small, SINCE, begins_at)
    make.selection(aoba, large, begins_at)

    [found] = told(aoba, now=begins_at)["meters"]

    assert (found["included"], found["included_this_month"]) == ("1000", "10")


def test_a_month_is_one_of_the_billing_time_zone(aoba: Organisation) -> None:
    meter = make.meter()
    used(aoba, meter, date(2026, 11, 30), 3)
    last = datetime(2026, 11, 30, 14, 59, 59, tzinfo=UTC)

    november, december = told(aoba, now=last), told(aoba, now=last + timedelta(seconds=1))

    assert (november["as_of"], december["as_of"]) == ("2026-11-30", "2026-12-01")
    assert (november["meters"][0]["used"], december["meters"][0]["used"]) == ("3", "0")


@pytest.mark.parametrize("how", Aggregation)
def test_usage_is_what_the_bill_would_say(aoba: Organisation, how: Aggregation) -> None:
    meter = make.meter(aggregation=how)
    for day, quantity in ((2, Decimal("5.25")), (9, Decimal("80.000000000000001")), (17, 3)):
        used(aoba, meter, date(2026, 11, day), quantity)

    [found] = told(aoba)["meters"]

    billed = usage.monthly_usage([aoba.pk], BillingMonth(2026, 11), plans.meters())
    assert Decimal(found["used"]) == billed[aoba.pk]["api_calls"]
    by_hand = {
        Aggregation.SUM: "88.250000000000001",
        Aggregation.MAX: "80.000000000000001",
        Aggregation.LAST: "3",
    }
    assert found["used"] == by_hand[how]


def test_a_closed_organisation_may_use_nothing_from_its_day_on(aoba: Organisation) -> None:
    make.selection(aoba, make.plan_version(), SINCE)
    Organisation.objects.filter(pk=aoba.pk).update(closed_on=date(2026, 11, 23))
    ends_at = datetime(2026, 11, 22, 15, tzinfo=UTC)

    before, after = told(aoba, now=ends_at - timedelta(seconds=1)), told(aoba, now=ends_at)

    assert before["licence"]["plan"] == "starter"
    assert before["closed_on"] == after["closed_on"] == "2026-11-23"
    assert (after["licence"], after["accounts"]["allowed"]) == (None, 0)


def test_a_contract_that_is_cancelled_lasts_until_the_last_day_of_all(aoba: Organisation) -> None:
    make.free_plan()
    make.main_contract(aoba, make.plan_version("starter"), date(2026, 4, 1), renews=True)
    make.selection(aoba, make.plan_version("gold", category=Category.SUPPORT), SINCE)
    Organisation.objects.filter(pk=aoba.pk).update(closed_on=date(2026, 12, 1))

    cancelled = told(aoba)

    assert cancelled["licence"]["until"] == "2026-11-30T15:00:00+00:00"
    assert cancelled["support"]["until"] == "2026-11-30T15:00:00+00:00"
    assert cancelled["contract"] == {
        "first_on": "2026-04-01",
        "last_on": "2026-11-30",
        "renews": False,
    }
    Organisation.objects.filter(pk=aoba.pk).update(closed_on=date(2027, 5, 1))
    later = told(aoba)
    assert later["licence"]["until"] == "2027-03-31T15:00:00+00:00"
    assert later["contract"]["last_on"] == "2027-03-31"
    assert later["contract"]["renews"] is True


def test_a_deactivated_account_is_not_in_use(aoba: Organisation) -> None:
    make.member(aoba)
    leaver = make.member(aoba)
    Membership.objects.filter(pk=leaver.pk).update(deactivated_at=NOW)

    assert told(aoba)["accounts"]["in_use"] == 1


def test_an_organisation_is_overdue_while_it_owes(aoba: Organisation) -> None:
    payable = owing.owed(aoba, due_on=date(2026, 11, 1), overdue_at=NOW)
    before = told(aoba)["overdue"]

    Payable.objects.filter(pk=payable.pk).update(
        state=PayableState.PAID, captured=1_100, overdue_at=None, closed_at=NOW
    )

    assert (before, told(aoba)["overdue"]) == (True, False)


def test_a_term_that_is_renewed_ahead_of_time_renews(aoba: Organisation) -> None:
    make.free_plan()
    starter = make.plan_version()
    first = make.main_contract(aoba, starter, date(2026, 11, 1), months=1)
    before = told(aoba)["contract"]

    MainContract.objects.create(
        organisation=aoba,
        anchor_on=first.anchor_on,
        months_before=1,
        months=1,
        first_on=first.end_on,
        end_on=date(2027, 1, 1),
        ordered_at=NOW,
        ordered_by=make.ACTOR,
    )

    assert before == {"first_on": "2026-11-01", "last_on": "2026-11-30", "renews": False}
    assert told(aoba)["contract"] == before | {"renews": True}


def test_who_knows_the_answer_is_told_so_in_two_statements(
    aoba: Organisation, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make.selection(aoba, make.plan_version(), SINCE)
    presented = key()
    known = ask(presented)

    with django_assert_num_queries(2):
        again = ask(presented, **{"If-None-Match": known["ETag"]})
    with django_assert_num_queries(2):
        later = ask(presented, now=NOW + timedelta(seconds=1), **{"If-None-Match": '"other"'})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", known["ETag"])
    assert (later.status_code, later.content, later["ETag"]) == (200, known.content, known["ETag"])
    assert known["Cache-Control"] == "private, max-age=0, must-revalidate"
    assert "Authorization" in known["Vary"]
    assert "Set-Cookie" not in known


def test_the_validator_differs_as_soon_as_anything_does(aoba: Organisation) -> None:
    make.free_plan()
    make.selection(aoba, make.plan_version("gold", category=Category.SUPPORT), SINCE)
    meter = make.meter()
    presented = key()
    seen = [ask(presented)["ETag"]]

    used(aoba, meter, date(2026, 11, 5), 1)
    seen.append(ask(presented)["ETag"])
    make.member(aoba)
    seen.append(ask(presented)["ETag"])
    make.main_contract(aoba, make.plan_version(), date(2026, 11, 22))
    seen.append(ask(presented)["ETag"])
    Organisation.objects.filter(pk=aoba.pk).update(closed_on=date(2026, 12, 1))
    seen.append(ask(presented)["ETag"])
    seen.append(ask(presented, now=NOW + timedelta(days=1))["ETag"])

    assert len(set(seen)) == len(seen) == 6


def test_a_key_of_one_organisation_sees_no_other(aoba: Organisation) -> None:
    make.organisation(reference="other")
    presented = key(aoba)

    own, others, nobodys = ask(presented), ask(presented, "other"), ask(presented, "nobody")

    assert own.status_code == 200
    assert (others.status_code, others.content) == (404, nobodys.content)
    assert json.loads(others.content) == {
        "error": {
            "code": "organisation_unknown",
            "reason": "This key knows no such organisation.",
        }
    }


@pytest.mark.parametrize("reference", ["a/b c", "株式会社青葉", "a%2Fb", "entitlements"])
def test_a_reference_may_be_any_text(aoba: Organisation, reference: str) -> None:
    make.organisation(reference=reference)

    answer = ask(key(), quote(reference, safe=""))

    assert (answer.status_code, answer.json()["organisation"]) == (200, reference)


def test_a_reference_with_a_nul_is_unknown(aoba: Organisation) -> None:
    assert ask(key(), "aoba%00").status_code == 404


def test_without_a_live_key_nothing_is_told(aoba: Organisation) -> None:
    presented = key()
    accounts.revoke_api_key(
        prefix=presented.partition(".")[0], actor=make.ACTOR, reason="lost", now=NOW
    )

    answer = ask(presented)

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["code"] == "key"


def test_a_key_asks_so_often_a_minute(aoba: Organisation, settings: Any) -> None:
    settings.ENTITLEMENTS_REQUESTS_PER_MINUTE = 2
    presented, other = key(), key()

    answers = [ask(presented).status_code for _ in range(2)]
    third = ask(presented)

    assert answers == [200, 200]
    assert (third.status_code, third["Retry-After"]) == (429, "60")
    assert third.json()["error"]["code"] == "too_many_requests"
    assert ask(other).status_code == 200


def test_head_is_answered_and_other_methods_are_not(aoba: Organisation) -> None:
    head, post = ask(key(), method="HEAD"), ask(key(), method="POST")

    assert (head.status_code, head.content) == (200, b"")
    assert (post.status_code, post["Allow"]) == (405, "GET, HEAD")


def test_before_there_is_a_catalogue_nothing_is_told(db: None) -> None:
    make.organisation(reference="aoba")

    answer = ask(key())

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
