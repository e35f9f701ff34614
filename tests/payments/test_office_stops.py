"""The overview of the money, and the switches on it: all, one provider, one organisation."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation
from core import clock
from core.enums import WorkState
from core.models import AuditEntry, Work
from gateway_sandbox import Sandbox
from payments.enums import ChargeState
from payments.models import ChargingStop
from payments.services import stops
from tests import make
from tests.make import NOW
from tests.payments import collected, offices

pytestmark = pytest.mark.django_db

OVERVIEW = reverse("admin:payments_chargingstop_changelist")
STOP = reverse("admin:payments_chargingstop_stop")
LIFT = reverse("admin:payments_chargingstop_lift")
MAY = "change_chargingstop"


@pytest.fixture
def customer() -> Organisation:
    make.vendor()
    return make.organisation(reference="C-7", name="Aoba Devices")


def scopes() -> list[str]:
    return list(ChargingStop.objects.order_by("scope").values_list("scope", flat=True))


def test_the_overview_counts_what_waits_and_says_since_when(sandbox: Sandbox) -> None:
    payable = collected.customer(sandbox).payable
    offices.charge(payable, ChargeState.UNDECIDED, at=NOW - timedelta(hours=5))
    Work.objects.create(
        kind="payments.look",
        key="a",
        queue="gateway",
        state=WorkState.PARKED,
        due_at=NOW,
        created_at=NOW,
        ended_at=NOW - timedelta(days=3),
        reason="nobody can say",
        owner="finance",
    )
    client, _ = offices.staff()

    with clock.fixed_at(NOW):
        answer = client.get(OVERVIEW)

    found = {each["link"]: (each["count"], each["age"]) for each in answer.context["lines"]}
    waiting = {link.split("?")[1].split('"')[0]: each for link, each in found.items() if each[0]}
    assert waiting == {
        "waits=undecided": (1, "5 hours"),
        "state__exact=parked&amp;kind__startswith=payments.": (1, "3 days"),
    }
    assert len(found) == 14


def test_every_line_leads_to_a_list(customer: Organisation) -> None:
    client, _ = offices.staff()

    for each in client.get(OVERVIEW).context["lines"]:
        url = each["link"].split('"')[1].replace("&amp;", "&")
        answer = client.get(url)
        assert answer.status_code == 200, url


def test_staff_see_only_the_lines_whose_rows_they_may_see(customer: Organisation) -> None:
    client, user = offices.staff()
    user.user_permissions.set(user.user_permissions.filter(codename="view_chargingstop"))

    assert len(client.get(OVERVIEW).context["lines"]) == 1

    user.user_permissions.clear()
    assert client.get(OVERVIEW).status_code == 403


def test_the_first_page_of_the_back_office_leads_to_the_overview() -> None:
    client, _ = offices.staff()

    for url in (reverse("admin:index"), reverse("admin:app_list", args=["payments"])):
        assert f'href="{OVERVIEW}"' in offices.text(client.get(url))


@pytest.mark.parametrize(
    ("typed", "scope"),
    [
        pytest.param({"scope": "all"}, "all", id="everything"),
        pytest.param({"scope": "gateway:paypal"}, "gateway:paypal", id="a provider"),
        pytest.param({"scope": "organisation", "organisation": "C-7"}, "", id="a customer"),
    ],
)
def test_staff_stop_charging_and_let_it_go_on(
    customer: Organisation, typed: dict[str, str], scope: str
) -> None:
    scope = scope or stops.of_organisation(customer.pk)
    client, user = offices.staff(MAY)

    stopped = client.post(STOP, {"reason": "Odd answers", **typed}, follow=True)

    assert "Charging is stopped." in offices.text(stopped)
    assert "Odd answers" in offices.text(stopped)
    assert user.email in offices.text(stopped)
    assert scopes() == [scope]
    assert offices.trail("charging.stopped") == {"reason": "Odd answers"}

    lifted = client.post(LIFT, {"reason": "All is well", "scope": scope}, follow=True)

    assert "Charging goes on." in offices.text(lifted)
    assert scopes() == []
    entry = AuditEntry.objects.get(action="charging.resumed")
    assert (entry.actor, entry.details) == (f"user:{user.pk}", {"reason": "All is well"})


def test_a_stop_needs_a_reason_and_a_customer_that_there_is(customer: Organisation) -> None:
    client, _ = offices.staff(MAY)

    for typed, said in (
        ({"scope": "all", "reason": " "}, "This field is required."),
        ({"scope": "moon", "reason": "why"}, "Select a valid choice."),
        ({"scope": "organisation", "reason": "why"}, "no organisation with this reference"),
        (
            {"scope": "organisation", "organisation": "C-8", "reason": "why"},
            "no organisation with this reference",
        ),
    ):
        assert said in offices.text(client.post(STOP, typed))
    assert scopes() == []


def test_a_stop_is_not_lifted_without_a_reason(customer: Organisation) -> None:
    stops.stop(scope="all", reason="Odd answers", actor="system:test", now=NOW)
    client, _ = offices.staff(MAY)

    answer = client.post(LIFT, {"scope": "all", "reason": " "})

    assert "This field is required." in offices.text(answer)
    assert scopes() == ["all"]


def test_the_stop_of_everything_is_lifted_once_the_books_agree_or_by_force(
    sandbox: Sandbox,
) -> None:
    collected.paid(sandbox)
    stops.stop(scope="all", reason="After a restore", actor="system:test", now=NOW)
    client, _ = offices.staff(MAY)

    refused = client.post(LIFT, {"scope": "all", "reason": "Enough"})

    assert "were not compared with ours since the stop" in offices.text(refused)
    assert scopes() == ["all"]

    client.post(LIFT, {"scope": "all", "reason": "Enough", "anyway": "on"})

    assert scopes() == []
    assert "by force" in str(offices.trail("charging.resumed")["reason"])


def test_a_forged_form_of_staff_who_may_only_look_stops_and_lifts_nothing(
    customer: Organisation,
) -> None:
    stops.stop(scope="gateway:paid", reason="Odd answers", actor="system:test", now=NOW)
    client, _ = offices.staff()

    assert client.post(STOP, {"scope": "all", "reason": "why"}).status_code == 403
    assert client.post(LIFT, {"scope": "gateway:paid", "reason": "why"}).status_code == 403
    assert client.get(STOP).status_code == 403
    assert scopes() == ["gateway:paid"]
    shown = offices.text(client.get(OVERVIEW))
    assert "Odd answers" in shown
    assert LIFT not in shown


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page() -> None:
    answer = Client().get(OVERVIEW)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/account/login/")
