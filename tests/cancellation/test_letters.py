"""What root and staff are told of the end of a contract. Rule: S1-29, R2."""

from datetime import date

import pytest
from django.conf import settings

from accounts.models import Organisation
from cancellation import services
from cancellation.enums import Reason
from cancellation.services import closing
from core.models import Mail
from gateway_sandbox import Sandbox
from tests import make
from tests.cancellation.leaving import TICKS, cancelled, customer, local, root, shown, signed_in
from tests.payments import collected, spotted
from tests.payments.farside import tick

pytestmark = pytest.mark.django_db

NOON = local(4, 10, 12)
STAFF = settings.STAFF_MAIL


def english(organisation: Organisation) -> Organisation:
    Organisation.objects.filter(pk=organisation.pk).update(language="en")
    return organisation


def mails() -> list[tuple[str, str]]:
    return [(mail.to[0], mail.subject) for mail in Mail.objects.order_by("pk")]


def last_text() -> str:
    mail = Mail.objects.order_by("-pk")[0]
    # Both parts say the same; the address of the portal is that of the settings (F76).
    assert settings.PORTAL_ORIGIN in mail.text
    assert mail.html
    return mail.text


def test_the_root_is_told_what_was_confirmed_and_staff_why() -> None:
    org = english(customer())
    review = shown(org, NOON)
    signed_in(review, NOON)

    services.confirm(
        organisation_id=org.pk,
        review_id=review.public_id,
        user_id=review.user_id,
        ticked=TICKS,
        now=NOON,
        reason=Reason.PRICE,
        reason_text="<b>Too dear</b>\nfor us.",
    )

    (to_root, subject), (to_staff, _) = mails()
    assert (to_root, subject) == ("root@kobo.example", "Your contract ends on 30 April 2026")
    assert to_staff == STAFF
    told = Mail.objects.order_by("pk")[0].text
    assert "Last day: 30 April 2026" in told
    assert "Data can be exported until: 30 May 2026" in told
    assert "Cancellation terms agreed to: version 1" in told
    for place in (1, 2, 3):
        assert f"> I agree to point {place}." in told
    assert "Until the end of 30 April 2026 you can withdraw" in told
    staff = Mail.objects.order_by("pk")[1]
    assert "> <b>Too dear</b>\n> for us." in staff.text
    assert "&lt;b&gt;Too dear" in staff.html


def test_a_spot_contract_that_ends_with_it_is_named(sandbox: Sandbox) -> None:
    make.cancellation_terms()
    who = spotted.buyer()
    english(who.organisation)
    spotted.register(who, sandbox)
    placed = spotted.place(who, months=2)
    spotted.pay(placed)
    Mail.objects.all().delete()

    cancelled(who.organisation, make.NOW)

    told = Mail.objects.order_by("pk")[0].text
    assert f"Spot contract that ends with it: {placed.order.number} (100 accounts)" in told


def test_the_root_is_told_of_each_change() -> None:
    org = english(customer())
    made = cancelled(org, NOON)
    Mail.objects.all().delete()

    services.move_last_day(
        cancellation_id=made.pk,
        last_on=date(2026, 6, 30),
        reason="They asked.",
        actor="user:1",
        now=NOON,
    )
    assert mails() == [("root@kobo.example", "Your contract now ends on 30 June 2026")]
    told = last_text()
    assert "Last day before: 30 April 2026" in told
    assert "Last day now: 30 June 2026" in told
    # Why staff did it is theirs.
    assert "They asked." not in told
    services.withdraw(organisation_id=org.pk, user_id=root(org).pk, now=NOON)

    assert mails()[1] == ("root@kobo.example", "Your contract goes on")
    assert mails()[2][0] == STAFF


def test_the_root_is_told_that_it_has_ended() -> None:
    org = english(customer())
    made = cancelled(org, NOON)
    Mail.objects.all().delete()

    closing.close(cancellation_id=made.pk, now=local(5, 3))

    assert mails() == [("root@kobo.example", "Your contract has ended")]
    assert "Your contract ended with 30 April 2026." in last_text()


def test_the_root_is_told_what_stays_due(sandbox: Sandbox) -> None:
    who = collected.customer(sandbox, email="poor@example.com")
    english(who.organisation)
    make.cancellation_terms()
    sandbox.paypal.decline("poor@example.com")
    cancelled(who.organisation, make.NOW)
    for moment in (
        make.NOW,
        local(12, 1),
        local(12, 1, 7),
        *(local(12, day, 9) for day in range(1, 12)),
    ):
        tick(moment, sandbox)

    (told,) = Mail.objects.filter(subject="Nothing more is collected by itself")
    assert "Not paid yet: ¥11,000" in told.text
    assert "What is not paid stays due." in told.text
