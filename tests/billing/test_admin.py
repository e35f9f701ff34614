import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import ParkedOrganisation
from core.models import AuditEntry
from tests import make
from tests.billing import books
from tests.make import NOW

LIST = reverse("admin:billing_parkedorganisation_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    user = User.objects.create_superuser("staff@example.com", registered_at=NOW)
    client.force_login(user)
    return client


def parked() -> ParkedOrganisation:
    books.starter()
    books.customer(make.plan_version("unpriced", prices={"USD": 5_000}))
    books.bill()
    return ParkedOrganisation.objects.get()


def release(staff: Client, row: ParkedOrganisation, reason: str) -> None:
    staff.post(LIST, {"action": "release", "_selected_action": [row.pk], "reason": reason})
    row.refresh_from_db()


def test_staff_release_a_parked_organisation_with_a_reason(staff: Client) -> None:
    row = parked()

    release(staff, row, "The price was added")

    assert row.released_at is not None
    entry = AuditEntry.objects.filter(action="month.released").get()
    assert entry.details == {"parked_as": "failed", "reason": "The price was added"}
    assert entry.actor.startswith("user:")


def test_staff_release_nothing_without_a_reason(staff: Client) -> None:
    row = parked()

    release(staff, row, " ")

    assert row.released_at is None


def test_invoices_are_read_and_never_changed_in_the_back_office(staff: Client) -> None:
    books.customer(books.starter())
    books.bill()

    assert staff.get(reverse("admin:billing_invoice_changelist")).status_code == 200
    assert staff.get(reverse("admin:billing_invoice_add")).status_code == 403
    assert staff.get(reverse("admin:billing_monthrun_changelist")).status_code == 200
