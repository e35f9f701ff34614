import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from core.enums import WorkState
from core.models import AuditEntry, Work
from tests.make import NOW

LIST = reverse("admin:core_work_changelist")

pytestmark = pytest.mark.django_db


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("staff@example.com", is_staff=True, registered_at=NOW)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def parked() -> Work:
    return Work.objects.create(
        kind="test.job",
        key="a",
        queue="default",
        state=WorkState.PARKED,
        due_at=NOW,
        created_at=NOW,
        ended_at=NOW,
        attempts=3,
        reason="the moon is full",
        owner="operations",
    )


def release(client: Client, row: Work, reason: str) -> str:
    client.post(LIST, {"action": "release", "_selected_action": [row.pk], "reason": reason})
    row.refresh_from_db()
    return row.state


def test_staff_see_parked_work_and_why() -> None:
    parked()

    assert "the moon is full" in staff("view_work").get(LIST).content.decode()


def test_staff_have_parked_work_done_again_with_a_reason_that_is_kept() -> None:
    row = parked()

    assert release(staff("view_work", "change_work"), row, "It has waned") == WorkState.DUE

    entry = AuditEntry.objects.get(action="work.released")
    assert entry.actor.startswith("user:")
    assert entry.details == {"kind": "test.job", "key": "a", "reason": "It has waned"}


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [
        pytest.param(("view_work", "change_work"), " ", id="no reason"),
        pytest.param(("view_work",), "It has waned", id="may only look"),
    ],
)
def test_parked_work_stays_parked(permissions: tuple[str, ...], reason: str) -> None:
    row = parked()

    assert release(staff(*permissions), row, reason) == WorkState.PARKED

    assert not AuditEntry.objects.exists()


def test_nothing_in_the_back_office_is_added_changed_or_deleted_past_the_services() -> None:
    """An address that staff add to a user would be confirmed by nobody, and sign in as that user."""
    superuser = User.objects.create_superuser("boss@example.com", registered_at=NOW)
    client = Client()
    client.force_login(superuser)

    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        page = client.get(reverse(f"admin:{name}_changelist"))
        assert page.status_code == 200
        assert "delete_selected" not in page.content.decode(), name
        assert client.get(reverse(f"admin:{name}_add")).status_code == 403, name
