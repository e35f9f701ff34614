"""Whom the end of a contract took is told, and the root who it was and what can be done."""

from datetime import date

import pytest
from django.conf import settings

from accounts.enums import Language
from accounts.models import Membership, Organisation, User
from core import clock, work
from core.models import Mail
from seats.models import Deactivation
from seats.services import accounts, letters, settling
from tests import make
from tests.core.test_letters import Page
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

APRIL = date(2026, 4, 1)


@pytest.fixture
def root() -> Membership:
    """Three places, and sixty more in April; sixty-two are taken."""
    root = customers.customer(customers.catalogue(accounts_per_step=3))
    Organisation.objects.update(language=Language.EN)
    customers.people(root.organisation, 1, at(2, 1))
    customers.spot(root.organisation, 60, APRIL)
    customers.people(root.organisation, 60, at(4, 2))
    return root


def settled(root: Membership) -> Deactivation:
    settling.settle(organisation_id=root.organisation_id, now=at(5, 1))
    return Deactivation.objects.get()


def tell(row: Deactivation) -> int:
    return letters.tell(first_id=row.pk, last_id=row.pk, now=at(5, 1))


def test_the_root_reads_who_left_and_what_to_do(root: Membership) -> None:
    User.objects.filter(memberships__organisation=root.organisation).exclude(
        pk=root.user_id
    ).update(name="A\r\nBcc: x@example.com")
    row = settled(root)

    assert tell(row) == 60

    sent = Mail.objects.get(to=[root.user.email])
    base = f"{settings.PORTAL_ORIGIN}/o/{root.organisation.public_id}"
    assert sent.subject == "59 accounts were deactivated"
    assert "A spot contract ended on 30 April 2026." in sent.text
    assert "Allowed now: 3" in sent.text
    assert sent.text.count("A Bcc: x@example.com") == 50
    assert "and 9 more" in sent.text
    assert Page(sent.html).links == [
        f"{base}/accounts/?group=auto",
        f"{base}/orders/spot/",
        f"{base}/orders/licences/",
        "https://support.example.com/",
    ]
    assert Page(sent.html).forbidden == []


def test_each_person_reads_it_and_whom_to_ask(root: Membership) -> None:
    row = settled(root)
    gone = Membership.objects.filter(deactivation_id=row.pk).first()
    assert gone is not None

    tell(row)

    sent = Mail.objects.get(to=[gone.user.email])
    assert sent.subject == "Your account of Aoba Devices was deactivated"
    assert "was deactivated on 1 May 2026" in sent.text
    assert f"please ask Hanako Sato ({root.user.email})" in sent.text
    assert Mail.objects.filter(subject=sent.subject).count() == 59


def test_in_japanese_too(root: Membership) -> None:
    Organisation.objects.update(language=Language.JA)
    row = settled(root)

    assert tell(row) == 60

    assert Mail.objects.filter(text__contains="2026年5月1日").count() == 60


def test_nobody_is_told_twice_nor_who_came_back(root: Membership) -> None:
    row = settled(root)
    back = Membership.objects.filter(deactivation_id=row.pk)[0]
    stays = Membership.objects.filter(deactivated_at=None).exclude(pk=root.pk)[0]
    accounts.deactivate(
        organisation_id=root.organisation_id,
        membership_ids=[stays.pk],
        actor=make.ACTOR,
        now=at(5, 1, 1),
    )
    accounts.reactivate(
        organisation_id=root.organisation_id,
        membership_ids=[back.pk],
        actor=make.ACTOR,
        now=at(5, 1, 1),
    )

    assert tell(row) == 59
    assert tell(row) == 0

    row.refresh_from_db()
    assert row.told_at == at(5, 1)
    assert not Mail.objects.filter(to=[back.user.email]).exists()


def test_the_people_of_a_closed_organisation_alone_are_told(root: Membership) -> None:
    Organisation.objects.update(closed_on=date(2026, 4, 20))
    settling.settle(organisation_id=root.organisation_id, now=at(4, 20))

    letters.tell(first_id=0, last_id=10**9, now=at(4, 20))

    assert Mail.objects.count() == 61
    assert not Mail.objects.filter(to=[root.user.email]).exists()


def test_the_due_work_settles_and_tells(root: Membership) -> None:
    with clock.fixed_at(at(5, 1)):
        work.plan(at(5, 1))
        work.run_due()

    assert Deactivation.objects.get().told_at == at(5, 1)
    assert Mail.objects.filter(subject="59 accounts were deactivated").count() == 1
