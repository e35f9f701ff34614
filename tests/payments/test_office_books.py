"""Differences, comparisons and notices in the back office."""

from datetime import timedelta

import pytest

from gateway_sandbox import Sandbox
from payments.enums import DifferenceKind
from payments.models import Charge, Difference, Reconciliation, StoredNotice
from payments.services import differences
from tests.make import NOW
from tests.payments import collected, offices

pytestmark = pytest.mark.django_db

MAY = "change_difference"


@pytest.fixture
def charge(sandbox: Sandbox) -> Charge:
    return collected.paid(sandbox)[1]


@pytest.fixture
def difference(charge: Charge) -> Difference:
    differences.note(
        DifferenceKind.AMOUNT,
        charge.capture,
        charge=charge,
        detail={"amount": 5_400, "currency": "JPY", "key": charge.key},
        now=NOW,
    )
    return Difference.objects.get()


def notice(charge: Charge, state: str, event_id: str) -> StoredNotice:
    return StoredNotice.objects.create(
        gateway="paypal",
        event_id=event_id,
        kind="PAYMENT.CAPTURE.COMPLETED",
        about="charge",
        references=[charge.capture],
        body_digest=b"0" * 32,
        state=state,
        received_at=NOW + timedelta(minutes=1),
        processed_at=NOW if state != "received" else None,
    )


def test_a_difference_is_shown_side_by_side(difference: Difference, charge: Charge) -> None:
    client, _ = offices.staff()

    answer = client.get(offices.page(difference))

    rows = {str(row[0]): (str(row[1]), str(row[2])) for row in answer.context["tables"][0].rows}
    assert rows["amount"] == ("5500", "5400")
    assert rows["key"] == (charge.key, charge.key)
    assert rows["capture"] == (charge.capture, "–")


def test_what_a_comparison_found_is_shown_as_it_was_told(charge: Charge) -> None:
    ours = {"amount": 5_500, "standing": "moved"}
    row = Difference.objects.create(
        gateway="paypal",
        environment="local",
        kind=DifferenceKind.MISSING_THERE,
        reference=charge.capture,
        organisation=charge.organisation,
        charge=charge,
        found_at=NOW,
        detail={"by": "reconciliation", "number": charge.number, "ours": ours, "theirs": None},
    )
    client, _ = offices.staff()

    shown = client.get(offices.page(row)).context["tables"][0].rows

    assert [[str(cell) for cell in each] for each in shown] == [
        ["standing", "moved", "–"],
        ["amount", "5500", "–"],
    ]


def test_staff_settle_a_difference_in_words(difference: Difference) -> None:
    client, user = offices.staff(MAY)

    empty = client.post(offices.act(difference, "settle"), {"resolution": " "})
    assert "This field is required." in offices.text(empty)

    client.post(offices.act(difference, "settle"), {"resolution": "PayPal has corrected it."})

    row = Difference.objects.get()
    assert (row.resolution, row.resolved_by) == ("PayPal has corrected it.", f"user:{user.pk}")
    assert offices.trail("difference.resolved") == {"resolution": "PayPal has corrected it."}
    assert row.reference not in offices.text(client.get(offices.listing(Difference, "open=yes")))


def test_a_forged_form_of_staff_who_may_only_look_settles_nothing(difference: Difference) -> None:
    client, _ = offices.staff("change_charge")

    answer = client.post(offices.act(difference, "settle"), {"resolution": "never mind"})

    assert answer.status_code == 403
    assert Difference.objects.get().resolved_at is None


def test_notices_are_listed_and_the_forged_counted(charge: Charge) -> None:
    client, _ = offices.staff()
    real = notice(charge, "processed", "WH-1")
    forged = notice(charge, "forged", "WH-2")

    shown = offices.text(client.get(offices.listing(StoredNotice)))
    assert "Notices (1 of which nobody knows who sent them)" in shown

    page = offices.text(client.get(offices.page(charge)))
    assert f'href="{offices.page(real)}"' in page
    assert f'href="{offices.page(forged)}"' not in page
    assert f'href="{offices.page(charge)}"' in offices.text(client.get(offices.page(real)))
    assert f'href="{offices.page(charge)}"' not in offices.text(client.get(offices.page(forged)))


def test_comparisons_are_listed(charge: Charge) -> None:
    Reconciliation.objects.create(
        gateway="paypal",
        environment="local",
        merchant="LOCALMERCHANT",
        since=NOW - timedelta(days=1),
        until=NOW,
        source="api",
        matched=17,
        different=2,
        actor="system:reconciliation",
        at=NOW,
    )
    client, _ = offices.staff()

    assert ">17<" in offices.text(client.get(offices.listing(Reconciliation)))
    page = offices.text(client.get(offices.page(Reconciliation.objects.get())))
    assert "system:reconciliation" in page
