"""What somebody might try with the end of a contract, and does not get. Rule: S1-29, F53, F61."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Membership, Organisation, User
from cancellation import services
from cancellation.models import Cancellation
from cancellation.services import closing
from core import clock
from core.models import AuditEntry
from plans.models import PlanVersion
from seats.services import settling
from tests import make
from tests.cancellation.leaving import cancelled, customer, local, root, shown

pytestmark = pytest.mark.django_db

NOON = local(4, 10, 12)
END = local(5, 1)
JUST_BEFORE = END - timedelta(milliseconds=1)
WROTE = "<script>alert(1)</script>\r\nX: y"


@pytest.fixture
def office() -> Client:
    client = Client(HTTP_ACCEPT_LANGUAGE="en", raise_request_exception=False)
    client.force_login(
        User.objects.create_superuser("staff@example.com", make.PASSWORD, registered_at=make.NOW)
    )
    return client


def _act(row: Cancellation, name: str) -> str:
    return reverse("admin:cancellation_cancellation_act", args=[row.pk, name])


def _ended() -> tuple[Organisation, Cancellation, Membership]:
    """A customer whose accounts have left with the last day, while the rest of the end is yet to come."""
    organisation = customer()
    member = make.member(organisation, email="member@example.com", now=local(2, 1))
    cancellation = cancelled(organisation, NOON)
    settling.settle(organisation_id=organisation.pk, now=END)
    member.refresh_from_db()
    assert member.deactivated_at == END
    return organisation, cancellation, member


def test_a_clock_read_before_midnight_withdraws_nothing_that_was_carried_out_after_it() -> None:
    organisation, _, _ = _ended()

    with pytest.raises(services.TooLate):
        services.withdraw(
            organisation_id=organisation.pk, user_id=root(organisation).pk, now=JUST_BEFORE
        )

    organisation.refresh_from_db()
    assert organisation.closed_on == date(2026, 5, 1)


def test_a_clock_read_before_midnight_moves_no_last_day_that_was_carried_out_after_it() -> None:
    organisation, cancellation, _ = _ended()

    with pytest.raises(services.TooLate):
        services.move_last_day(
            cancellation_id=cancellation.pk,
            last_on=date(2026, 5, 31),
            reason="They asked.",
            actor="user:1",
            now=JUST_BEFORE,
        )

    organisation.refresh_from_db()
    assert organisation.closed_on == date(2026, 5, 1)


@pytest.mark.parametrize("last_on", ["9999-12-31", "0001-01-01"])
def test_staff_set_no_last_day_out_of_the_calendar(office: Client, last_on: str) -> None:
    row = cancelled(customer(), NOON)

    with clock.fixed_at(NOON):
        answer = office.post(_act(row, "move"), {"last_on": last_on, "reason": "A slip"})

    assert answer.status_code == 200
    assert "The last day cannot be moved there" in answer.content.decode()


def test_staff_who_open_again_leave_their_reason_in_the_trail(office: Client) -> None:
    row = cancelled(customer(), NOON)
    closing.close(cancellation_id=row.pk, now=END)

    with clock.fixed_at(END + timedelta(days=1)):
        answer = office.post(_act(row, "reopen"), {"reason": "They asked by phone"})

    assert answer.status_code == 302
    entry = AuditEntry.objects.get(action="cancellation.reopened")
    assert entry.details["reason"] == "They asked by phone"


def test_staff_read_why_nobody_can_come_back_without_a_free_plan(office: Client) -> None:
    row = cancelled(customer(), NOON)
    PlanVersion.objects.filter(plan__code="free").update(on_sale_until=date(2026, 4, 1))
    closing.close(cancellation_id=row.pk, now=END)

    with clock.fixed_at(END + timedelta(days=1)):
        answer = office.post(_act(row, "reopen"), {"reason": "They asked"})

    assert answer.status_code == 200
    assert "There is no free plan in their currency" in answer.content.decode()


def test_what_a_customer_writes_is_only_text_in_the_back_office(office: Client) -> None:
    organisation = customer()
    review = shown(organisation, NOON)
    client = Client()
    client.force_login(root(organisation))
    with clock.fixed_at(NOON):
        client.post(
            reverse("cancellation_confirm", args=[organisation.public_id, review.public_id]),
            {"ticked": ["0", "1", "2"], "password": make.PASSWORD, "reason_text": WROTE},
        )
    row = Cancellation.objects.get(organisation=organisation)

    page = office.get(reverse("admin:cancellation_cancellation_change", args=[row.pk]))

    assert "&lt;script&gt;alert(1)" in page.content.decode()
    assert "<script>alert(1)" not in page.content.decode()


@pytest.mark.parametrize("forged", ["9" * 5_000, "3", "-1", "٠", "0 or 1=1", "\0"])
def test_a_box_that_is_none_is_refused_in_words(forged: str) -> None:
    organisation = customer()
    review = shown(organisation, NOON)
    client = Client(raise_request_exception=False)
    client.force_login(root(organisation))

    with clock.fixed_at(NOON):
        answer = client.post(
            reverse("cancellation_confirm", args=[organisation.public_id, review.public_id]),
            {"ticked": ["0", "1", forged], "password": make.PASSWORD},
        )

    assert answer.status_code == 400
    assert not Cancellation.objects.exists()
