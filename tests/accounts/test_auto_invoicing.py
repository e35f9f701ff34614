import pytest

from accounts import services
from accounts.models import Organisation
from core.models import AuditEntry
from tests import make


@pytest.mark.django_db
def test_automatic_invoicing_is_switched_off_and_on_with_a_reason() -> None:
    organisation = make.organisation()

    def switch(*, is_off: bool) -> bool:
        return services.switch_auto_invoicing(
            organisation_id=organisation.pk,
            is_off=is_off,
            actor="user:1",
            reason="a dispute",
            now=make.NOW,
        )

    assert switch(is_off=True)
    assert not switch(is_off=True)
    assert Organisation.objects.get().auto_invoicing_off
    assert switch(is_off=False)
    assert not Organisation.objects.get().auto_invoicing_off
    trail = AuditEntry.objects.order_by("seq").values_list("action", "details__reason")
    assert list(trail)[1:] == [
        ("organisation.auto_invoicing_off", "a dispute"),
        ("organisation.auto_invoicing_on", "a dispute"),
    ]
