"""What the vendor's product is told of a single account, by date. Rule: S2-20, F53, F60, docs/api.md."""

import json
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import Membership, Organisation, User
from core import clock
from plans.models import PlanVersion
from seats.models import Deactivation
from seats.services import accounts as seats
from seats.services import groups, settling
from tests import make
from tests.ordering.test_openapi import check
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

PATH = "/api/v1/organisations/{reference}/accounts/{email}"
# Ten accounts and, from 1 April until the end of June, ten more; all twenty are used in May.
FIRST_ON, END_ON = date(2026, 4, 1), date(2026, 7, 1)
BEFORE, AFTER = at(6, 30, 23, 59), at(7, 1)
MAY = at(5, 10, 12)


@pytest.fixture
def version(db: None) -> PlanVersion:
    return customers.catalogue(accounts_per_step=10, free=3)


@pytest.fixture
def root(version: PlanVersion) -> Membership:
    return customers.customer(version)


@pytest.fixture
def people(root: Membership) -> list[Membership]:
    """The nineteen beside the root, the first nine of before the spot contract."""
    customers.spot(root.organisation, 10, FIRST_ON, 3)
    early = customers.people(root.organisation, 9, at(2, 1))
    return [*early, *customers.people(root.organisation, 10, at(4, 2))]


def key(organisation: Organisation | None = None) -> str:
    _, presented = accounts.create_api_key(
        label="product",
        actor=make.ACTOR,
        now=make.NOW,
        organisation_id=organisation.pk if organisation else None,
    )
    return presented


def ask(
    presented: str,
    email: str,
    reference: str,
    *,
    now: datetime = MAY,
    method: str = "GET",
    **headers: str,
) -> Any:
    path = PATH.format(reference=quote(reference, safe=""), email=quote(email, safe=""))
    with clock.fixed_at(now):
        answer: Any = Client().generic(
            method, path, headers={"Authorization": f"Bearer {presented}", **headers}
        )
    if method == "GET":
        check(PATH, "get", answer)
    return answer


def told(membership: Membership, *, now: datetime = MAY) -> dict[str, Any]:
    email, reference = membership.user.email, membership.organisation.reference
    answer = ask(key(), email, reference, now=now)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def entitled(organisation: Organisation, now: datetime) -> dict[str, Any]:
    with clock.fixed_at(now):
        answer: Any = Client().get(
            f"/api/v1/organisations/{organisation.reference}/entitlements",
            headers={"Authorization": f"Bearer {key()}"},
        )
    body: dict[str, Any] = answer.json()
    return body


def test_all_that_is_told_of_an_account(people: list[Membership]) -> None:
    last = people[-1]
    reference = last.organisation.reference
    for name in ("Sendai", "Design"):
        found = groups.create(
            organisation_id=last.organisation_id, name=name, actor=make.ACTOR, now=MAY
        )
        groups.put_in(
            organisation_id=last.organisation_id,
            group_id=found.pk,
            membership_ids=[last.pk],
            actor=make.ACTOR,
            now=MAY,
        )

    assert told(last) == {
        "organisation": reference,
        "account": last.user.email,
        "as_of": "2026-05-10",
        "may_use": True,
        "role": "member",
        "groups": ["Design", "Sendai"],
        "registered_at": "2026-04-01T15:09:00+00:00",
        "deactivated": None,
        "accounts": {"allowed": 20, "in_use": 20},
    }


def test_who_leaves_by_an_end_may_use_nothing_from_its_instant_on_though_the_job_is_late(
    people: list[Membership],
) -> None:
    last = people[-1]
    number = last.organisation.spot_orders.get().number

    before, after, later = (
        told(last, now=now) for now in (BEFORE, AFTER, AFTER + timedelta(days=3))
    )

    assert (before["may_use"], before["deactivated"]) == (True, None)
    assert (after["may_use"], later["may_use"]) == (False, False)
    assert after["deactivated"] == {
        "at": "2026-06-30T15:00:00+00:00",
        "why": "spot_end",
        "order": number,
    }
    assert before["accounts"] == {"allowed": 20, "in_use": 20}
    assert after["accounts"] == {"allowed": 10, "in_use": 10}
    assert [told(each, now=AFTER)["may_use"] for each in people] == [True] * 9 + [False] * 10
    assert entitled(last.organisation, AFTER)["accounts"] == {"allowed": 10, "in_use": 10}


def test_to_ask_writes_nothing_and_the_job_changes_nothing_of_the_answer(
    people: list[Membership],
) -> None:
    organisation = people[0].organisation
    late = [told(each, now=AFTER) for each in people]
    entitlements = entitled(organisation, AFTER)
    assert not Deactivation.objects.exists()
    assert not Membership.objects.filter(deactivated_at__isnull=False).exists()

    settling.settle(organisation_id=organisation.pk, now=AFTER + timedelta(hours=9))

    assert [told(each, now=AFTER) for each in people] == late
    assert entitled(organisation, AFTER) == entitlements


def test_one_who_came_after_a_cut_left_when_they_came(people: list[Membership]) -> None:
    Membership.objects.filter(pk=people[-1].pk).update(registered_at=AFTER + timedelta(hours=2))

    found = told(people[-1], now=AFTER + timedelta(hours=3))

    assert found["deactivated"]["at"] == "2026-06-30T17:00:00+00:00"
    settling.settle(organisation_id=people[-1].organisation_id, now=AFTER + timedelta(hours=4))
    assert told(people[-1], now=AFTER + timedelta(hours=5))["deactivated"] == found["deactivated"]


def test_by_hand_and_back_again(people: list[Membership]) -> None:
    somebody = people[4]
    act = {"membership_ids": [somebody.pk], "actor": make.ACTOR}

    seats.deactivate(organisation_id=somebody.organisation_id, **act, now=MAY)  # type: ignore[arg-type]
    away = told(somebody)
    seats.reactivate(organisation_id=somebody.organisation_id, **act, now=MAY)  # type: ignore[arg-type]

    assert away["may_use"] is False
    assert away["deactivated"] == {
        "at": "2026-05-10T03:00:00+00:00",
        "why": "by_hand",
        "order": None,
    }
    assert away["accounts"] == {"allowed": 20, "in_use": 19}
    assert (told(somebody)["may_use"], told(somebody)["deactivated"]) == (True, None)


def test_the_end_of_the_main_contract_leaves_the_free_plan(root: Membership) -> None:
    people = customers.people(root.organisation, 4, at(2, 1))
    ends = at(1, 1, year=2027)

    found = [told(each, now=ends) for each in (root, *people)]

    assert [each["may_use"] for each in found] == [True, True, True, False, False]
    assert {(each["deactivated"] or {}).get("why") for each in found} == {None, "contract_end"}
    assert found[4]["deactivated"]["order"] is None
    assert found[0]["accounts"] == {"allowed": 3, "in_use": 3}


@pytest.mark.parametrize("is_late", [True, False])
def test_nobody_uses_what_was_cancelled_from_its_day_on(root: Membership, is_late: bool) -> None:
    (somebody,) = customers.people(root.organisation, 1, at(2, 1))
    Organisation.objects.filter(pk=root.organisation_id).update(closed_on=date(2026, 6, 1))
    if not is_late:
        settling.settle(organisation_id=root.organisation_id, now=at(6, 1))

    before = told(root, now=at(5, 31, 23, 59))
    after = [told(each, now=at(6, 1)) for each in (root, somebody)]

    assert before["may_use"]
    assert [each["may_use"] for each in after] == [False, False]
    assert after[0]["deactivated"] is None
    assert after[1]["deactivated"] == {
        "at": "2026-05-31T15:00:00+00:00",
        "why": "closed",
        "order": None,
    }
    assert after[0]["accounts"] == {"allowed": 0, "in_use": 1}


def test_without_a_licence_or_before_the_first_day_nobody_uses_anything(
    version: PlanVersion,
) -> None:
    bare = make.member(make.organisation(reference="bare"))
    early = make.organisation(reference="early", customer_since=date(2026, 6, 1))
    make.selection(early, version, at(1, 1))
    soon = make.member(early)

    assert (told(bare)["may_use"], told(bare)["accounts"]["allowed"]) == (False, 0)
    assert [told(soon, now=now)["may_use"] for now in (MAY, at(6, 1))] == [False, True]


def test_a_person_who_may_not_sign_in_at_all_may_not_use_it(root: Membership) -> None:
    User.objects.filter(pk=root.user_id).update(is_active=False)

    assert (told(root)["may_use"], told(root)["deactivated"]) == (False, None)


def test_capital_letters_make_no_difference(root: Membership) -> None:
    answer = ask(key(), root.user.email.upper(), root.organisation.reference)

    assert (answer.status_code, answer.json()["account"]) == (200, root.user.email)


@pytest.mark.parametrize("email", ["a/b+c%2f@example.com", "o'neill&co?#@example.com"])
@pytest.mark.parametrize("reference", ["a/accounts/b c", "株式会社青葉", "a%2Fb"])
def test_reference_and_address_may_be_any_text(
    version: PlanVersion, reference: str, email: str
) -> None:
    make.member(make.organisation(reference=reference), email=email)

    answer = ask(key(), email, reference)

    assert answer.status_code == 200
    assert (answer.json()["organisation"], answer.json()["account"]) == (reference, email)


def test_who_is_not_known_is_told_apart_from_an_organisation_that_is_not(
    root: Membership, version: PlanVersion
) -> None:
    reference = root.organisation.reference
    other = make.member(make.organisation(reference="other"))

    nobody = ask(key(), "nobody@example.com", reference)
    elsewhere = ask(key(), other.user.email, reference)
    nowhere = ask(key(), root.user.email, "nowhere")
    nul = ask(key(), "a\0@example.com", reference)

    assert {each.status_code for each in (nobody, elsewhere, nowhere, nul)} == {404}
    assert nobody.content == elsewhere.content
    assert json.loads(nobody.content) == {
        "error": {
            "code": "account_unknown",
            "reason": "The organisation has no such account.",
        }
    }
    assert nowhere.json()["error"]["code"] == "organisation_unknown"


def test_a_key_of_one_organisation_asks_about_its_own_people_alone(
    root: Membership, version: PlanVersion
) -> None:
    other = make.member(make.organisation(reference="other"))
    presented = key(root.organisation)

    own = ask(presented, root.user.email, root.organisation.reference)
    others = ask(presented, other.user.email, "other")
    nobodys = ask(presented, other.user.email, "nobody")

    assert own.status_code == 200
    assert others.json()["error"]["code"] == "organisation_unknown"
    assert others.content == nobodys.content


def test_a_deleted_account_is_unknown(people: list[Membership]) -> None:
    somebody = people[3]
    seats.delete(
        organisation_id=somebody.organisation_id,
        membership_ids=[somebody.pk],
        actor=make.ACTOR,
        now=MAY,
    )

    answer = ask(key(), somebody.user.email, somebody.organisation.reference)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "account_unknown")


def test_who_knows_the_answer_is_told_so_until_it_differs(people: list[Membership]) -> None:
    last, presented = people[-1], key()
    email, reference = last.user.email, last.organisation.reference
    known = ask(presented, email, reference)

    again = ask(presented, email, reference, **{"If-None-Match": known["ETag"]})
    ended = ask(presented, email, reference, now=AFTER, **{"If-None-Match": known["ETag"]})

    assert (again.status_code, again.content, again["ETag"]) == (304, b"", known["ETag"])
    assert (ended.status_code, ended.json()["may_use"]) == (200, False)
    assert known["Cache-Control"] == "private, max-age=0, must-revalidate"
    assert "Authorization" in known["Vary"]


def test_methods_keys_limits_and_a_portal_without_a_catalogue(settings: Any, db: None) -> None:
    reference = make.organisation(reference="aoba").reference
    presented = key()

    not_ready = ask(presented, "a@example.com", reference)
    unknown = ask("none.none", "a@example.com", reference)
    post = ask(presented, "a@example.com", reference, method="POST")
    settings.ENTITLEMENTS_REQUESTS_PER_MINUTE = 1
    too_many = ask(presented, "a@example.com", reference)

    assert (not_ready.status_code, not_ready.json()["error"]["code"]) == (503, "not_ready")
    assert (unknown.status_code, unknown["WWW-Authenticate"]) == (401, "Bearer")
    assert (post.status_code, post["Allow"]) == (405, "GET, HEAD")
    assert (too_many.status_code, too_many.json()["error"]["code"]) == (429, "too_many_requests")
