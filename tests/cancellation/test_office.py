"""What staff see of customers who leave, and do for them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, User
from cancellation.models import Cancellation
from core import clock
from core.months import add_months
from tests import make
from tests.cancellation import leaving

pytestmark = pytest.mark.django_db


@pytest.fixture
def office() -> Client:
    """Somebody of the vendor's staff, in English."""
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    client.force_login(
        User.objects.create_superuser("staff@example.com", make.PASSWORD, registered_at=make.NOW)
    )
    return client


def _cancelled() -> tuple[Organisation, Cancellation]:
    organisation = leaving.customer()
    return organisation, leaving.cancelled(organisation, clock.now())


def _act(row: Cancellation, name: str) -> str:
    return reverse("admin:cancellation_cancellation_act", args=[row.pk, name])


def test_the_list_says_why_customers_left_by_month(office: Client) -> None:
    _, row = _cancelled()
    month = row.ordered_at.astimezone(leaving.local(1, 1).tzinfo).strftime("%Y")

    page = office.get(reverse("admin:cancellation_cancellation_changelist")).content.decode()

    assert "Why customers left, in the last twelve months" in page
    assert month in page
    assert "not said" in page


def test_a_page_tells_all_of_a_cancellation(office: Client) -> None:
    organisation, row = _cancelled()

    page = office.get(
        reverse("admin:cancellation_cancellation_change", args=[row.pk])
    ).content.decode()

    assert organisation.reference in page
    assert "ends with its last day" in page
    assert "cancellation.confirmed" in page


def test_staff_move_the_last_day_for_a_reason(office: Client) -> None:
    organisation, row = _cancelled()
    later = add_months(row.end_on, 1)

    office.post(
        _act(row, "move"),
        {"last_on": (later - timedelta(days=1)).isoformat(), "reason": "Asked for by phone"},
    )

    organisation.refresh_from_db()
    assert organisation.closed_on == later
    assert row.last_day_changes.get().reason == "Asked for by phone"


def test_without_a_reason_the_last_day_stays(office: Client) -> None:
    organisation, row = _cancelled()
    later = add_months(row.end_on, 1)

    response = office.post(_act(row, "move"), {"last_on": later.isoformat(), "reason": " "})

    organisation.refresh_from_db()
    assert (response.status_code, organisation.closed_on) == (200, row.end_on)


def test_the_last_day_is_not_moved_into_the_past(office: Client) -> None:
    organisation, row = _cancelled()
    past = clock.now().date() - timedelta(days=40)

    page = office.post(
        _act(row, "move"), {"last_on": past.isoformat(), "reason": "By mistake"}
    ).content.decode()

    organisation.refresh_from_db()
    assert "The last day cannot be moved there" in page
    assert organisation.closed_on == row.end_on


def test_a_customer_who_has_not_left_is_not_opened_again(office: Client) -> None:
    _, row = _cancelled()

    response = office.post(_act(row, "reopen"), {"reason": "They asked"})

    assert response.status_code == 302
    row.refresh_from_db()
    assert row.reopened_at is None
