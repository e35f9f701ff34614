"""Roots are warned 30, 7 and 1 days before accounts leave, each once. Rule: design.md 6.5."""

from datetime import date, datetime
from urllib.parse import quote

import pytest

from accounts.enums import Language
from accounts.models import Membership, Organisation
from core import clock, work
from core.models import Mail
from ordering.services import leaving_letters
from seats.models import LeavingWarning
from seats.services import accounts, settling
from spot_orders import services as spot_orders
from spot_orders.models import SpotOrder
from tests import make
from tests.ordering import customers as ordering
from tests.seats import customers
from tests.seats.customers import at

pytestmark = pytest.mark.django_db

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
# The spot contract ends with 30 April: from 1 May on, ten places are left.
THIRTY, SEVEN, ONE = at(4, 1, 9), at(4, 24, 9), at(4, 30, 9)


@pytest.fixture
def root(db: None) -> Membership:
    return customers.customer(customers.catalogue())


@pytest.fixture
def kobo(root: Membership) -> Organisation:
    """Sixteen accounts: ten places, ten more by spot in April."""
    organisation = root.organisation
    Organisation.objects.filter(pk=organisation.pk).update(language=Language.EN)
    customers.people(organisation, 15, at(2, 1))
    customers.spot(organisation, 10, APRIL)
    ordering.method(organisation)
    return organisation


def tick(now: datetime) -> None:
    """What the portal does by itself on a day; twice, as it does all day long."""
    with clock.fixed_at(now):
        for _ in range(2):
            leaving_letters.plan(now)
            work.run_due()


def given() -> list[tuple[date, int, int]]:
    rows = LeavingWarning.objects.order_by("told_at", "border_on")
    return list(rows.values_list("border_on", "stage", "count"))


def letters() -> list[Mail]:
    return list(Mail.objects.filter(subject__contains="leave").order_by("pk"))


def test_each_stage_is_told_once_on_its_day(kobo: Organisation) -> None:
    for month, day in (
        (3, 31),
        (4, 1),
        (4, 2),
        (4, 23),
        (4, 24),
        (4, 25),
        (4, 29),
        (4, 30),
        (5, 1),
    ):
        tick(at(month, day, 9))

    assert given() == [(MAY, 30, 6), (MAY, 7, 6), (MAY, 1, 6)]
    assert [each.created_at for each in letters()] == [THIRTY, SEVEN, ONE]


def test_days_without_a_run_are_made_good_by_the_most_urgent(kobo: Organisation) -> None:
    for day in (4, 27, 28):
        tick(at(4, day, 9))

    assert given() == [(MAY, 30, 6), (MAY, 7, 6)]
    assert [each.created_at for each in letters()] == [at(4, 4, 9), at(4, 27, 9)]


def test_nobody_is_told_of_what_takes_nobody_away(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 9, at(2, 1))
    customers.spot(organisation, 10, APRIL)

    for now in (THIRTY, SEVEN, ONE):
        tick(now)

    assert (given(), letters()) == ([], [])


def test_a_border_that_is_gone_is_told_no_more(kobo: Organisation) -> None:
    tick(THIRTY)
    customers.spot(kobo, 10, MAY)

    tick(SEVEN)
    tick(ONE)

    assert given() == [(MAY, 30, 6)]


def test_who_deactivates_in_time_hears_no_more(kobo: Organisation) -> None:
    tick(THIRTY)
    newest = kobo.memberships.order_by("-registered_at", "-pk")[:6]
    accounts.deactivate(
        organisation_id=kobo.pk,
        membership_ids=[each.pk for each in newest],
        actor=make.ACTOR,
        now=at(4, 10),
    )

    tick(SEVEN)

    assert given() == [(MAY, 30, 6)]


def test_a_renewal_still_to_be_ordered_alarms_nobody(root: Membership) -> None:
    organisation = root.organisation
    customers.people(organisation, 8, at(2, 1))
    organisation.main_contracts.update(renews=True)

    tick(at(12, 2, 9))
    assert given() == []

    organisation.main_contracts.update(renewal_failed_at=at(12, 2, 10))
    tick(at(12, 3, 9))
    assert given() == [(date(2027, 1, 1), 30, 6)]


def test_the_letter_says_who_and_what_it_costs_to_keep_them(kobo: Organisation) -> None:
    first = kobo.memberships.order_by("-registered_at", "-pk").first()
    assert first is not None
    first.user.email, first.user.name = "newest@kobo.example", ""
    first.user.save()

    tick(SEVEN)

    (mail,) = letters()
    assert mail.to == [customers_root(kobo)]
    assert mail.subject == "6 accounts leave on 1 May 2026"
    for text in (
        "A spot contract of yours ends on 30 April 2026.",
        "First of them: newest@kobo.example",
        "Then: Taro (",
        "Extend: 10 accounts by spot until 31 May 2026, ¥5,500, tax included",
        "Add licences instead: 1 step more, ¥5,500 more a month, tax included",
        "/orders/licences/?steps=1",
    ):
        assert text in mail.text
    wish = "/orders/spot/?accounts=10&first_on=2026-05-01&months=1"
    assert wish in mail.text
    assert quote(wish, safe="/?=-").replace("%26", "&amp;") in mail.html


def test_the_letter_is_japanese_for_who_reads_it(kobo: Organisation) -> None:
    Organisation.objects.filter(pk=kobo.pk).update(language=Language.JA)

    tick(SEVEN)

    mail = Mail.objects.latest("pk")
    assert "2026年5月1日" in mail.subject
    assert "5,500円" in mail.text
    assert 'lang="ja"' in mail.html


def test_who_ends_the_contract_is_told_that_the_root_alone_stays(kobo: Organisation) -> None:
    Organisation.objects.filter(pk=kobo.pk).update(closed_on=date(2026, 4, 25))

    tick(SEVEN)

    (mail,) = letters()
    assert "Your contract with us ends on 24 April 2026." in mail.text
    assert "/orders/spot/" not in mail.text
    assert given() == [(date(2026, 4, 25), 1, 15)]


def test_many_are_told_page_by_page(
    root: Membership, kobo: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving_letters, "_A_PAGE", 2)
    starter = kobo.selections.exclude(plan_version__plan__is_free=True).get().plan_version
    for _ in range(4):
        other = customers.customer(starter).organisation
        customers.people(other, 12, at(2, 1))
        customers.spot(other, 10, APRIL)

    tick(SEVEN)

    assert sorted(count for _, _, count in given()) == [3, 3, 3, 3, 6]


def test_a_spot_that_was_cut_is_told_by_its_new_end(kobo: Organisation) -> None:
    order = SpotOrder.objects.get()
    spot_orders.cut(
        order_id=order.pk, on=date(2026, 4, 10), reason="staff", actor=make.ACTOR, now=at(4, 2)
    )

    tick(at(4, 3, 9))

    assert given() == [(date(2026, 4, 10), 7, 6)]


def test_what_has_ended_unnoticed_is_carried_out_before_it_is_counted(kobo: Organisation) -> None:
    """The settlement is late: on 2 May six are out already, and no letter counts them again."""
    customers.spot(kobo, 10, date(2026, 4, 15), 1)

    tick(at(5, 2, 9))

    assert given() == [(date(2026, 5, 15), 30, 6)]
    assert settling.settle_if_due(kobo, at(5, 2, 10)) is False


def customers_root(organisation: Organisation) -> str:
    return str(organisation.memberships.get(role="root").user.email)
