"""Each check of the seats' books turns red by what it is for, and by nothing that the services do."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.db import connection

from accounts import services
from accounts.models import Membership, Organisation
from core import books, clock
from core.models import Work
from seats import jobs
from seats.models import Deactivation
from seats.queries import audit
from seats.services import accounts, settling
from tests import make
from tests.seats import customers
from tests.seats.customers import at
from tests.seats.test_accounts import sign_in

pytestmark = pytest.mark.django_db

APRIL = date(2026, 4, 1)


@pytest.fixture
def root() -> Membership:
    """Three places, two more by April's contract, all taken."""
    root = customers.customer(customers.catalogue(accounts_per_step=3))
    customers.people(root.organisation, 2, at(2, 1))
    customers.spot(root.organisation, 2, APRIL)
    customers.people(root.organisation, 2, at(4, 2))
    return root


def red(now: datetime) -> list[str]:
    """Return which checks find something, each once."""
    found = books.breaches(among=audit.CHECKS, now=now)
    return list(dict.fromkeys(breach.what for breach in found))


def test_the_books_are_sound_before_and_after_an_end(root: Membership) -> None:
    assert red(at(4, 30)) == []
    # The day has come, and the work that is due today may still do it.
    assert red(at(5, 1)) == []
    settling.settle(organisation_id=root.organisation_id, now=at(5, 1))
    assert red(at(5, 1)) == []

    gone = Membership.objects.filter(deactivation_id__isnull=False).order_by("pk")
    stays = Membership.objects.filter(deactivated_at=None).exclude(pk=root.pk).first()
    assert stays is not None
    accounts.delete(
        organisation_id=root.organisation_id,
        membership_ids=[stays.pk],
        actor=make.ACTOR,
        now=at(5, 2),
    )
    accounts.reactivate(
        organisation_id=root.organisation_id,
        membership_ids=[gone[0].pk],
        actor=make.ACTOR,
        now=at(5, 2),
    )
    accounts.delete(
        organisation_id=root.organisation_id,
        membership_ids=[gone[0].pk],
        actor=make.ACTOR,
        now=at(5, 2),
    )
    assert red(at(5, 3)) == []


def test_an_end_that_nobody_carries_out_is_found_after_a_day(root: Membership) -> None:
    assert red(at(5, 2)) == [audit.CARRIED_OUT.what]

    Work.objects.create(
        kind=jobs.SETTLE_ALONE.kind,
        key=str(root.organisation_id),
        queue="default",
        state="parked",
        due_at=at(5, 1),
        created_at=at(5, 1),
        ended_at=at(5, 1),
        reason="its data are at fault",
        owner="operations",
    )
    assert red(at(5, 2)) == []


def too_many(organisation: Organisation) -> None:
    customers.people(organisation, 1, at(5, 2))


def foreign(organisation: Organisation) -> None:
    Membership.objects.filter(deactivation_id__isnull=False).update(deactivation_id=10**9)


def uncounted(organisation: Organisation) -> None:
    Membership.objects.filter(deactivation_id__isnull=False).update(deactivation_id=None)


def untold(organisation: Organisation) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM core_auditentry WHERE action = 'accounts.deactivated_by_end'")
        cursor.execute("SET session_replication_role = origin")


def too_early(organisation: Organisation) -> None:
    Deactivation.objects.update(due_at=at(4, 30))
    Membership.objects.filter(deactivation_id__isnull=False).update(deactivated_at=at(4, 29))


@pytest.mark.unsound_books
@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        pytest.param(too_many, [audit.WITHIN_CAPACITY], id="I11"),
        pytest.param(foreign, [audit.BELONGS, audit.COUNTED], id="another's deactivation"),
        pytest.param(uncounted, [audit.COUNTED], id="not counted"),
        pytest.param(untold, [audit.RECORDED], id="not in the trail"),
        pytest.param(too_early, [audit.BELONGS], id="before the end"),
    ],
)
def test_a_check_finds_what_it_is_for(
    root: Membership, spoil: Callable[[Organisation], None], found: list[books.Check]
) -> None:
    settling.settle(organisation_id=root.organisation_id, now=at(5, 1))
    assert red(at(5, 3)) == []

    spoil(root.organisation)

    assert red(at(5, 3)) == [check.what for check in found]


@pytest.mark.unsound_books
def test_a_live_session_of_who_has_left_is_found(root: Membership) -> None:
    settling.settle(organisation_id=root.organisation_id, now=at(5, 1))
    gone = Membership.objects.filter(deactivation_id__isnull=False).first()
    assert gone is not None
    sign_in(gone.user)

    # Sessions live by the wall clock: seen shortly after the account left, it may still be under way.
    assert red(at(5, 1) + timedelta(minutes=1)) == []
    assert red(max(at(5, 2), clock.now() - timedelta(hours=1))) == [audit.SIGNED_OUT.what]
    assert services.end_stray_sessions() == 1
    assert red(at(5, 2)) == []


def test_closed_organisations_may_have_the_root_alone(root: Membership) -> None:
    Organisation.objects.filter(pk=root.organisation_id).update(closed_on=date(2026, 4, 20))
    settling.settle(organisation_id=root.organisation_id, now=at(4, 20))
    assert red(at(4, 20)) == []
    customers.people(root.organisation, 1, at(4, 21))

    assert red(at(4, 21)) == [audit.WITHIN_CAPACITY.what]


def test_the_last_day_of_a_spot_contract_counts_whole(root: Membership) -> None:
    sixth = customers.people(root.organisation, 1, at(4, 3))
    assert red(at(4, 30, 23, 59)) == [audit.WITHIN_CAPACITY.what]
    sixth[0].delete()
    assert red(at(4, 30, 23, 59)) == []
