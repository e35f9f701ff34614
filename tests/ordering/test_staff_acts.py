"""Staff order for a customer in the back office: the root's own orders, with a reason. Rule: R12."""

import re
from datetime import date
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation, User
from core.models import AuditEntry
from ordering import services
from ordering.models import Review
from ordering.rules.acts import ChangePlan
from ordering.rules.guards import Waiver
from plans import queries as plans
from plans.enums import Category
from plans.models import MainContract, PriceChange, Selection
from tests import make
from tests.ordering import customers
from tests.payments import offices, owing

pytestmark = pytest.mark.django_db


@pytest.fixture
def kobo() -> Organisation:
    return customers.kobo("free")


@pytest.fixture
def desk() -> tuple[offices.AtNow, User]:
    return offices.staff("change_organisation", "change_pricechange", "view_pricechange")


def shown(client: Client, row: Any, name: str, **typed: object) -> str:
    """Send the form of an act, and return the page that says what would come of it."""
    return offices.text(offices.do(client, row, name, **typed))


def sure(client: Client, row: Any, name: str, page: str, **typed: object) -> str:
    """Send it once more from the page that showed it."""
    [review] = re.findall(r'name="review" value="([0-9a-f-]+)"', page)
    return offices.text(offices.do(client, row, name, sure="yes", review=review, **typed))


def versions(organisation: Organisation, category: str = "licence") -> list[str]:
    rows = Selection.objects.filter(organisation=organisation, category=category)
    return [str(row.plan_version.plan) for row in rows.order_by("from_at")]


def test_staff_start_a_contract_as_it_was_shown(
    kobo: Organisation, desk: tuple[offices.AtNow, User]
) -> None:
    client, user = desk
    typed = {"plan": "pro", "steps": 2, "first_on": "2026-11-22", "months": 12, "renews": "on"}

    page = shown(client, kobo, "start", **typed)

    # Silver at 3,300; from December on Pro × 2 at 11,000, tax included.
    assert "¥3,300 → ¥14,300" in page
    assert "Pro × 2" in page
    assert not MainContract.objects.exists()
    assert "It is saved, as it was shown." in sure(client, kobo, "start", page, **typed)
    assert versions(kobo) == ["free", "pro", "free"]
    contract = MainContract.objects.get()
    assert (contract.renews, contract.ordered_by) == (True, f"user:{user.pk}")
    entry = AuditEntry.objects.get(action="order.start")
    assert entry.actor == f"user:{user.pk}"
    assert entry.details["reason"] == offices.ASKED
    assert "let_pass" not in entry.details


def test_staff_act_on_a_contract(kobo: Organisation, desk: tuple[offices.AtNow, User]) -> None:
    client, _ = desk
    for name, typed in (
        ("start", {"plan": "pro", "steps": 1, "first_on": "2026-11-22", "months": 1}),
        ("add-licences", {"steps": 2}),
        ("renew", {"plan": "pro", "steps": 3, "months": 12}),
        ("renewal", {"renews": "on"}),
        ("change-plan", {"plan": "gold"}),
        ("withdraw-renewal", {}),
    ):
        page = shown(client, kobo, name, **typed)
        assert "It is saved" in sure(client, kobo, name, page, **typed), name

    timeline = plans.timeline(kobo, now=make.NOW)
    assert [(span.terms.plan_code, span.steps) for span in timeline.licence] == [
        ("free", 1),
        ("pro", 3),
        ("free", 1),
    ]
    assert (len(timeline.terms), timeline.renews) == (1, False)
    assert versions(kobo, "support") == ["silver", "gold"]
    ordered = AuditEntry.objects.filter(action__startswith="order.").order_by("pk")
    assert [each.details["reason"] for each in ordered] == [offices.ASKED] * 6


def test_staff_let_a_contract_return_to_free(
    kobo: Organisation, desk: tuple[offices.AtNow, User]
) -> None:
    client, _ = desk
    start = {"plan": "pro", "steps": 1, "first_on": "2026-11-22", "months": 12, "renews": "on"}
    sure(client, kobo, "start", shown(client, kobo, "start", **start), **start)

    page = shown(client, kobo, "return-to-free")

    assert "It is saved" in sure(client, kobo, "return-to-free", page)
    assert not MainContract.objects.get().renews


@pytest.mark.parametrize("tick", ["", "on"])
def test_a_missing_method_is_let_pass_by_a_tick_that_the_trail_keeps(
    tick: str, desk: tuple[offices.AtNow, User]
) -> None:
    client, _ = desk
    organisation = customers.kobo(has_method=False)
    typed = {"plan": "pro"} | ({"without_method": tick} if tick else {})

    page = shown(client, organisation, "change-plan", **typed)

    if not tick:
        assert "There is no active payment method." in page
        assert not Review.objects.exists()
        return
    assert "It is saved" in sure(client, organisation, "change-plan", page, **typed)
    assert versions(organisation) == ["basic", "pro"]
    entry = AuditEntry.objects.get(action="order.change")
    assert (entry.details["let_pass"], entry.details["reason"]) == (["method"], offices.ASKED)


@pytest.mark.parametrize("tick", ["", "on"])
def test_an_overdue_invoice_is_let_pass_by_a_tick_that_the_trail_keeps(
    tick: str, desk: tuple[offices.AtNow, User]
) -> None:
    client, _ = desk
    organisation = customers.kobo()
    owing.owed(organisation, due_on=date(2026, 11, 1), overdue_at=make.NOW)
    typed = {"plan": "pro"} | ({"while_overdue": tick} if tick else {})

    page = shown(client, organisation, "change-plan", **typed)

    if not tick:
        assert "An invoice is overdue." in page
        return
    assert "It is saved" in sure(client, organisation, "change-plan", page, **typed)
    assert AuditEntry.objects.get(action="order.change").details["let_pass"] == ["overdue"]


def test_what_staff_let_pass_needs_a_reason() -> None:
    organisation = customers.kobo(has_method=False)
    user = customers.root_of(organisation)
    review = services.review(
        organisation_id=organisation.pk,
        user_id=user.pk,
        act=ChangePlan(Category.LICENCE, "pro"),
        now=make.NOW,
        waivers=[Waiver.METHOD],
    )

    with pytest.raises(services.ReasonMissing):
        services.save(
            organisation_id=organisation.pk,
            review_id=review.public_id,
            actor="user:7",
            now=make.NOW,
            reason=" ",
            waivers=[Waiver.METHOD],
        )

    assert versions(organisation) == ["basic"]


def test_an_order_without_a_reason_is_not_even_shown(
    kobo: Organisation, desk: tuple[offices.AtNow, User]
) -> None:
    client, _ = desk

    page = shown(client, kobo, "change-plan", plan="gold", reason="")

    assert "This field is required." in page
    assert not Review.objects.exists()


def test_accounts_in_use_are_not_let_pass(desk: tuple[offices.AtNow, User]) -> None:
    client, _ = desk
    organisation = customers.kobo("pro")
    for _each in range(5):
        make.member(organisation)

    page = shown(
        client, organisation, "change-plan", plan="basic", without_method="on", while_overdue="on"
    )

    assert "6 accounts are in use, and 5 would be allowed." in page
    assert versions(organisation) == ["pro"]


def test_what_changed_since_it_was_shown_is_not_saved(
    kobo: Organisation, desk: tuple[offices.AtNow, User]
) -> None:
    client, _ = desk
    page = shown(client, kobo, "change-plan", plan="gold")
    make.plan_version("gold", category=Category.SUPPORT, number=2, prices={"JPY": 9_500})

    answer = sure(client, kobo, "change-plan", page, plan="gold")

    assert "It is no longer as it was shown" in answer
    assert versions(kobo, "support") == ["silver"]


def test_what_was_shown_is_saved_once(kobo: Organisation, desk: tuple[offices.AtNow, User]) -> None:
    client, _ = desk
    page = shown(client, kobo, "change-plan", plan="gold")
    sure(client, kobo, "change-plan", page, plan="gold")

    assert "nothing was changed a second time" in sure(
        client, kobo, "change-plan", page, plan="gold"
    )
    assert versions(kobo, "support") == ["silver", "gold"]


def test_another_customers_review_is_not_saved(
    kobo: Organisation, desk: tuple[offices.AtNow, User]
) -> None:
    client, _ = desk
    other = customers.kobo_again()
    page = shown(client, kobo, "change-plan", plan="gold")

    answer = sure(client, other, "change-plan", page, plan="gold")

    assert "Look at it again." in answer
    assert Review.objects.get().saved_at is None


def test_who_may_only_read_orders_nothing(kobo: Organisation) -> None:
    client, _ = offices.staff()

    assert client.get(offices.act(kobo, "start")).status_code == 403
    assert offices.do(client, kobo, "change-plan", plan="gold").status_code == 403
    assert "Start a paid plan" not in offices.text(client.get(offices.page(kobo)))
    assert not Review.objects.exists()


def test_every_form_opens(kobo: Organisation, desk: tuple[offices.AtNow, User]) -> None:
    client, _ = desk
    page = offices.text(client.get(offices.page(kobo)))
    names = sorted(set(re.findall(r"/do/([a-z-]+)/", page)))

    assert names == [
        "add-licences",
        "change-plan",
        "renew",
        "renewal",
        "return-to-free",
        "start",
        "withdraw-renewal",
    ]
    for name in names:
        form = client.get(offices.act(kobo, name))
        assert form.status_code == 200
        assert "This field is required." not in offices.text(form)


def test_staff_withdraw_a_price_change(
    kobo: Organisation, desk: tuple[offices.AtNow, User]
) -> None:
    client, user = desk
    version = make.plan_version("pro", number=2, prices={"JPY": 6_000})
    change = PriceChange.objects.create(
        version=version,
        effective_on="2027-02-01",
        announced_at=make.NOW,
        announced_by=make.ACTOR,
    )

    assert "Customers reached" in offices.text(client.get(offices.page(change)))
    page = offices.text(offices.do(client, change, "withdraw"))

    assert "It is withdrawn." in page
    change.refresh_from_db()
    assert (change.withdrawn_at, change.withdrawn_by) == (make.NOW, f"user:{user.pk}")
