"""What a root is told of a price change: by mail, on the plan tab, and before it orders."""

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from accounts.enums import Language
from accounts.models import Organisation
from core import clock, work
from core.models import Mail
from ordering import services
from ordering.rules.acts import ChangePlan
from ordering.services import price_letters
from plans.enums import Category
from plans.models import Meter, PlanVersion, PriceChange, Repricing
from plans.services import price_changes
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local

pytestmark = pytest.mark.django_db

# Not yet in force on make.NOW, 22 November 2026.
EFFECTIVE_ON = date(2027, 2, 1)


def pro_v2(*, included: int = 200_000) -> PlanVersion:
    """Pro at 6,000 yen net instead of 5,000, with twice the calls, announced for February."""
    version = make.plan_version(
        "pro", number=2, prices={"JPY": 6_000, "USD": 6_000}, on_sale_from=EFFECTIVE_ON
    )
    calls = Meter.objects.get()
    make.meter_price(version, calls, included=included, tiers=[("10000", "0.02"), (None, "0.004")])
    price_changes.announce(
        version_id=version.pk, effective_on=EFFECTIVE_ON, actor=make.ACTOR, now=make.NOW
    )
    return version


def customer(language: Language = Language.EN) -> Organisation:
    if not PlanVersion.objects.exists():
        customers.vendor()
    organisation = make.organisation(language=language)
    make.member(organisation, email=f"root-{language}@example.com")
    make.selection(organisation, customers.version("pro"), local(1, 1), steps=2)
    customers.method(organisation)
    return organisation


def tick() -> None:
    with clock.fixed_at(make.NOW):
        price_changes.plan(make.NOW)
        work.run_due()
        price_letters.plan(make.NOW)
        work.run_due()


def mail(language: Language) -> Mail:
    return Mail.objects.filter(to=[f"root-{language}@example.com"]).latest("pk")


def test_a_root_is_told_what_changes_and_from_when() -> None:
    organisation = customer()
    pro_v2()

    tick()

    told = mail(Language.EN)
    assert told.subject == "Pro: new terms from 1 February 2027"
    for fact in (
        "Pro × 2",
        "Price a month, tax included: ¥11,000 → ¥13,200",
        "Tax excluded: ¥10,000 → ¥12,000",
        "Api calls, included: 100,000 → 200,000",
        "Api calls, each beyond that (tax excluded): ¥0.01, then ¥0.004 → ¥0.02, then ¥0.004",
    ):
        assert fact in told.text
    assert "Accounts" not in told.text
    assert "you can choose another plan" in told.text
    assert reverse("plan", kwargs={"organisation": organisation.public_id}) in told.text


def test_a_root_is_told_in_japanese() -> None:
    customer(Language.JA)
    pro_v2()

    tick()

    told = mail(Language.JA)
    assert told.subject == "proプラン：2027年2月1日から内容が変わります"
    assert "月額(税込)：11,000円 → 13,200円" in told.text
    assert "100,000 → 200,000" in told.text


def test_a_root_is_told_once() -> None:
    customer()
    pro_v2()
    tick()

    tick()

    assert Mail.objects.count() == 1
    assert Repricing.objects.get().told_at == make.NOW


def test_a_root_is_told_of_the_withdrawal() -> None:
    customer()
    pro_v2()
    tick()

    price_changes.withdraw(
        price_change_id=PriceChange.objects.get().pk, reason="Wrong", actor="user:7", now=make.NOW
    )
    tick()

    told = mail(Language.EN)
    assert told.subject == "Pro: your terms stay as they are"
    assert "¥11,000" in told.text
    assert "13,200" not in told.text
    assert Mail.objects.count() == 2


def test_who_was_not_told_is_not_told_of_the_withdrawal_either() -> None:
    organisation = customer()
    pro_v2()
    change = PriceChange.objects.get()
    price_changes.reprice(price_change_id=change.pk, organisation_id=organisation.pk, now=make.NOW)
    price_changes.withdraw(price_change_id=change.pk, reason="Wrong", actor="user:7", now=make.NOW)
    price_changes.take_back(
        price_change_id=change.pk, organisation_id=organisation.pk, now=make.NOW
    )

    tick()

    assert not Mail.objects.exists()


def test_the_plan_tab_says_what_is_to_come() -> None:
    organisation = customer()
    pro_v2()
    tick()
    client = Client(headers={"accept-language": "en"})
    client.force_login(customers.root_of(organisation))

    with clock.fixed_at(make.NOW):
        page = client.get(reverse("plan", kwargs={"organisation": organisation.public_id}))

    text = page.content.decode()
    assert "From 1 February 2027: Pro 200 at new terms, ¥11,000 → ¥13,200" in text


def test_a_review_shows_the_announced_price_of_what_is_chosen() -> None:
    customers.vendor()
    organisation = customers.kobo("basic")
    pro_v2()

    shown = services.review(
        organisation_id=organisation.pk,
        user_id=customers.root_of(organisation).pk,
        act=ChangePlan(Category.LICENCE, "pro"),
        now=make.NOW,
    )

    # Support is 3,000; Basic 1,000, then Pro at 5,000 for December and January, and 6,000.
    assert [(each["month"], each["after"]["net"]) for each in shown.shown["months"]] == [
        ("2026-11", 4_000),
        ("2026-12", 8_000),
        ("2027-01", 8_000),
        ("2027-02", 9_000),
    ]
    saved = services.save(
        organisation_id=organisation.pk,
        review_id=shown.public_id,
        actor="user:1",
        now=make.NOW,
    )
    assert isinstance(saved, services.Saved)
