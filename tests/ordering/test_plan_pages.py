"""The tab's plans, the choice, the review, the receipt. Rule: S1-13, S1-20…S1-26."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Protocol

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Organisation
from core import clock
from ordering.enums import ReviewState
from ordering.models import Review
from payments.enums import MethodState
from payments.models import PaymentMethod
from payments.services import moves
from plans import queries as plans
from plans.enums import Category
from plans.models import Selection
from tests import make
from tests.ordering import customers
from tests.ordering.customers import local
from tests.payments import visits

pytestmark = pytest.mark.django_db

NOW = local(4, 10, 12)
PAGES = [("plan", {}), ("plan_change", {"category": "licence"})]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.fixed_at(NOW):
        yield


@pytest.fixture
def kobo() -> Organisation:
    return customers.kobo()


@pytest.fixture
def root(kobo: Organisation) -> Client:
    return visits.client_of(customers.root_of(kobo))


def url(name: str, organisation: Organisation, **of: str) -> str:
    return visits.url(name, organisation, **of)


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


def text_of(answer: Answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def choose(client: Client, organisation: Organisation, plan: str, category: str = "licence") -> str:
    """Choose a plan; return the address of its review."""
    answer = client.post(url("plan_change", organisation, category=category), {"plan": plan})
    assert answer.status_code == 302, text_of(answer)
    return answer.headers["Location"]


def in_force(organisation: Organisation) -> list[str]:
    rows = Selection.objects.filter(organisation=organisation, until_at=None)
    return sorted(rows.values_list("plan_version__plan__code", flat=True))


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    with clock.fixed_at(instant):
        yield


def test_the_tab_shows_each_category_with_its_price_and_a_labelled_way_to_change(
    kobo: Organisation, root: Client
) -> None:
    answer = root.get(url("plan", kobo))
    text, html = text_of(answer), answer.content.decode()

    assert "Licence plan Basic 5 Change the licence plan" in text
    assert "¥1,100 tax included ( ¥1,000 net)" in text
    assert "5 accounts Api calls: 10,000 calls" in text
    assert "Support plan Silver Change the support plan" in text
    assert "¥3,300 tax included ( ¥3,000 net)" in text
    assert 'href="https://www.example.com/plans" rel="noopener"' in html


def test_the_tab_says_what_is_still_billed_and_what_follows(
    kobo: Organisation, root: Client
) -> None:
    """Rule: S1-13, S1-26."""
    root.post(choose(root, kobo, "pro"))

    text = text_of(root.get(url("plan", kobo)))

    assert "Licence plan Pro 100" in text
    assert (
        "April 2026 is still billed as Basic 5 with ¥1,100. From May 2026 on, it is billed with ¥5,500."
        in text
    )


def test_the_tab_shows_the_end_of_a_contract_and_the_free_plan_after_it() -> None:
    customers.vendor()
    kobo = customers.kobo("free", "")
    make.main_contract(kobo, customers.version("pro"), date(2026, 4, 1), now=local(4, 1, 9))
    client = visits.client_of(customers.root_of(kobo))

    text = text_of(client.get(url("plan", kobo)))

    assert "Licence plan Pro 100" in text
    assert "From 1 April 2027: Free 10" in text


def test_the_choice_lists_what_is_on_sale_in_the_currency_and_marks_the_present_plan(
    kobo: Organisation, root: Client
) -> None:
    """Rule: S1-22, B-12."""
    make.plan_version("dollar", prices={"USD": 100})
    make.plan_version("soon", on_sale_from=date(2026, 5, 1))
    withdrawn = customers.version("basic")
    withdrawn.on_sale_until = date(2026, 4, 1)
    withdrawn.save(update_fields=["on_sale_until"])

    answer = root.get(url("plan_change", kobo, category="licence"))

    html, text = answer.content.decode(), text_of(answer)
    assert re.findall(r'name="plan" value="(\w+)"', html) == ["basic", "free", "pro"]
    assert re.findall(r'value="(\w+)"[^>]*checked', html) == ["basic"]
    assert "Basic your plan now no longer on sale; you keep it until you change" in text
    assert "Free free 10 1,000 calls included more is free" in text
    assert "¥1,100 ¥1,000 net 5 10,000 calls included then ¥0.02 each" in text
    assert "¥5,500 ¥5,000 net 100 100,000 calls included" in text
    assert "then ¥0.01 up to 10,000 over, then ¥0.004 each" in text


def test_a_plan_is_shown_for_the_steps_that_stay(kobo: Organisation, root: Client) -> None:
    Selection.objects.filter(organisation=kobo, category=Category.LICENCE).update(steps=2)

    text = text_of(root.get(url("plan_change", kobo, category="licence")))

    assert "¥11,000 ¥10,000 net 200" in text


def test_looking_at_a_plan_says_what_it_changes_and_stores_nothing(
    kobo: Organisation, root: Client
) -> None:
    page = url("plan_change", kobo, category="licence")

    part = root.get(page, {"plan": "pro"}, headers={"HX-Request": "true"})
    whole = root.get(page, {"plan": "pro"})

    said = "From May 2026 on, your monthly fees are ¥8,800 instead of ¥4,400, tax included."
    assert said in text_of(part)
    assert "<html" not in part.content.decode()
    assert said in text_of(whole)
    assert 'value="pro"' in re.findall(r"<input[^>]*checked[^>]*>", whole.content.decode())[0]
    assert "HX-Request" in whole.headers["Vary"]
    assert not Review.objects.exists()


def test_a_change_is_reviewed_then_saved_then_shown_as_a_receipt(
    kobo: Organisation, root: Client
) -> None:
    review = choose(root, kobo, "pro")

    page = text_of(root.get(review))
    assert in_force(kobo) == ["basic", "silver"]
    assert "Licence plan Basic 5 Pro 100 as soon as you save" in page
    assert "From May 2026 on, your monthly fees are ¥8,800 instead of ¥4,400, tax included." in page
    assert "You can save this until 10 April 2026, 12:15 JST" in page

    answer = root.post(review)
    receipt = text_of(root.get(answer.headers["Location"]))
    assert answer.status_code == 302
    assert in_force(kobo) == ["pro", "silver"]
    assert "It was saved on 10 April 2026, 12:00 JST by Hanako Sato." in receipt
    assert "Licence plan Basic 5 Pro 100 at once" in receipt
    assert "April 2026 ¥4,400 ¥4,400 ¥4,000 May 2026 ¥4,400 ¥8,800 ¥8,000" in receipt


def test_the_two_categories_change_alone(kobo: Organisation, root: Client) -> None:
    """Rule: S1-21."""
    root.post(choose(root, kobo, "gold", "support"))

    assert in_force(kobo) == ["basic", "gold"]


def test_save_pressed_again_reloaded_or_opened_later_shows_the_receipt(
    kobo: Organisation, root: Client
) -> None:
    """Rule: F54."""
    review = choose(root, kobo, "pro")
    first = root.post(review)
    stored = list(Selection.objects.order_by("pk").values())

    again = root.post(review, follow=True)
    later = root.get(review)

    assert again.redirect_chain[-1][0] == first.headers["Location"]
    assert "This was saved before; nothing was changed a second time." in text_of(again)
    assert later.headers["Location"] == first.headers["Location"]
    assert list(Selection.objects.order_by("pk").values()) == stored


def test_the_present_plan_changes_nothing(kobo: Organisation, root: Client) -> None:
    """Rule: S1-23."""
    answer = root.post(url("plan_change", kobo, category="licence"), {"plan": "basic"}, follow=True)

    assert "You have this plan already; nothing was changed." in text_of(answer)
    assert not Review.objects.exists()


def test_an_expired_review_is_reviewed_again(kobo: Organisation, root: Client) -> None:
    review = choose(root, kobo, "pro")

    with at(NOW + timedelta(minutes=16)):
        shown, refused = root.get(review), root.post(review)
        assert "This review is older than 15 minutes" in text_of(shown)
        assert refused.status_code == 409
        assert in_force(kobo) == ["basic", "silver"]

        again = root.post(review, {"again": "1"}).headers["Location"]
        assert again != review
        root.post(again)
    assert in_force(kobo) == ["pro", "silver"]


def test_what_differs_is_shown_again_before_it_is_saved(kobo: Organisation, root: Client) -> None:
    """Rule: F51."""
    review = choose(root, kobo, "pro")
    make.plan_version("pro", number=2, prices={"JPY": 6_000})

    assert "Something has changed since you asked for this review" in text_of(root.get(review))
    answer = root.post(review, follow=True)

    text = text_of(answer)
    assert "Something differs from what you were shown. Nothing was saved." in text
    assert "Pro now costs ¥6,000 a month and step, net; it was shown with ¥5,000." in text
    assert "From May 2026 on, your monthly fees are ¥9,900 instead of ¥4,400" in text
    assert in_force(kobo) == ["basic", "silver"]
    root.post(answer.redirect_chain[-1][0])
    assert in_force(kobo) == ["pro", "silver"]


def test_the_second_tab_is_shown_again_what_the_first_saved(
    kobo: Organisation, root: Client
) -> None:
    first, second = choose(root, kobo, "pro"), choose(root, kobo, "gold", "support")
    root.post(first)

    text = text_of(root.post(second, follow=True))

    assert "Your plans or your contract were changed in between, in another window perhaps." in text
    assert in_force(kobo) == ["pro", "silver"]


@pytest.mark.parametrize(
    ("state", "said", "href"),
    [
        pytest.param(None, "add one first", "payment_method_add", id="none"),
        pytest.param(MethodState.UNDER_REVIEW, "Paid still reviews", "plan", id="under review"),
        pytest.param(MethodState.BROKEN, "add one first", "payment_method_add", id="broken"),
    ],
)
def test_without_an_active_method_the_page_warns_and_the_post_is_refused(
    state: MethodState | None, said: str, href: str
) -> None:
    """Rule: S1-24."""
    kobo = customers.kobo(has_method=False)
    if state:
        customers.method(kobo, state, "paid")
    client = visits.client_of(customers.root_of(kobo))
    page = url("plan_change", kobo, category="licence")

    warned, refused = client.get(page), client.post(page, {"plan": "pro"})

    assert (warned.status_code, refused.status_code) == (200, 409)
    for answer in (warned, refused):
        assert said in text_of(answer)
        assert f'href="{url(href, kobo)}"' in answer.content.decode()
    assert not Review.objects.exists()


def test_a_method_that_breaks_during_the_review_refuses_the_save(
    kobo: Organisation, root: Client
) -> None:
    review = choose(root, kobo, "pro")
    moves.move_method(PaymentMethod.objects.get(), MethodState.BROKEN, now=NOW)

    answer = root.post(review)

    assert answer.status_code == 409
    assert "This cannot be saved now" in text_of(answer)
    assert "You have no active payment method" in text_of(answer)
    assert in_force(kobo) == ["basic", "silver"]
    assert Review.objects.get().state == ReviewState.OPEN


def test_a_downgrade_below_the_accounts_in_use_names_the_number_and_leads_to_the_list() -> None:
    """Rule: S1-25."""
    kobo = customers.kobo("pro")
    for _ in range(6):
        make.member(kobo)
    client = visits.client_of(customers.root_of(kobo))

    answer = client.post(url("plan_change", kobo, category="licence"), {"plan": "basic"})

    assert answer.status_code == 409
    assert "7 accounts are in use" in text_of(answer)
    assert f'href="{url("accounts", kobo)}"' in answer.content.decode()
    listed = text_of(client.get(url("accounts", kobo)))
    assert "7 of 100 accounts are in use; 93 are free." in listed
    assert "root@kobo.example" in listed
    assert in_force(kobo) == ["pro", "silver"]


def test_a_paid_licence_is_had_by_a_contract() -> None:
    """Rule: S2-12."""
    kobo = customers.kobo("free")
    client = visits.client_of(customers.root_of(kobo))

    answer = client.post(url("plan_change", kobo, category="licence"), {"plan": "pro"})

    assert answer.headers["Location"] == f"{url('order_start', kobo)}?plan=pro"


@pytest.mark.parametrize(
    "posted",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"plan": "unknown"}, id="unknown"),
        pytest.param({"plan": "gold"}, id="of the other category"),
        pytest.param({"plan": "dollar"}, id="not in yen"),
        pytest.param({"plan": "pro' OR 1=1"}, id="forged"),
    ],
)
def test_a_choice_that_is_not_offered_is_refused(
    kobo: Organisation, root: Client, posted: dict[str, str]
) -> None:
    """Rule: F55."""
    make.plan_version("dollar", prices={"USD": 100})

    answer = root.post(url("plan_change", kobo, category="licence"), posted)

    assert answer.status_code == 400
    assert not Review.objects.exists()


def test_what_is_posted_beside_the_plan_is_not_believed(kobo: Organisation, root: Client) -> None:
    """Rule: F55: the price comes from the catalogue."""
    page = url("plan_change", kobo, category="licence")
    review = root.post(
        page, {"plan": "pro", "net": "1", "steps": "0", "version": "1", "organisation": "7"}
    ).headers["Location"]
    root.post(review, {"net": "1", "plan": "free"})

    selection = Selection.objects.get(category=Category.LICENCE, until_at=None)
    assert (selection.plan_version, selection.steps) == (customers.version("pro"), 1)


def test_unknown_categories_and_reviews_are_not_found(kobo: Organisation, root: Client) -> None:
    assert root.get(url("plan_change", kobo, category="spot")).status_code == 404
    for name in ("order_review", "order_receipt"):
        assert root.get(url(name, kobo, review=str(uuid.uuid4()))).status_code == 404


def test_anothers_review_is_not_found(kobo: Organisation, root: Client) -> None:
    review = Review.objects.get(public_id=choose(root, kobo, "pro").split("/")[-2])
    other = customers.kobo_again()
    client = visits.client_of(customers.root_of(other))

    for name in ("order_review", "order_receipt"):
        page = url(name, other, review=str(review.public_id))
        assert client.get(page).status_code == 404
    assert client.post(url("order_review", other, review=str(review.public_id))).status_code == 404
    assert in_force(kobo) == ["basic", "silver"]


def test_a_receipt_of_what_was_not_saved_leads_to_its_review(
    kobo: Organisation, root: Client
) -> None:
    review = choose(root, kobo, "pro")

    assert root.get(f"{review}receipt/").headers["Location"] == review


@pytest.mark.parametrize("role", [Role.MANAGER, Role.MEMBER])
def test_only_the_root_opens_or_posts_to_any_of_the_pages(
    kobo: Organisation, root: Client, role: Role
) -> None:
    """Rule: S1-20."""
    review = choose(root, kobo, "pro")
    client = visits.client_of(make.member(kobo, role=role).user)

    for page in [*(url(name, kobo, **of) for name, of in PAGES), review, f"{review}receipt/"]:
        assert client.get(page).status_code == 403, page
        assert client.post(page, {"plan": "pro"}).status_code == 403, page
    assert Review.objects.count() == 1
    assert in_force(kobo) == ["basic", "silver"]


def test_a_get_saves_nothing(kobo: Organisation, root: Client) -> None:
    review = choose(root, kobo, "pro")

    root.get(review)
    root.get(review, {"again": "1"})

    assert in_force(kobo) == ["basic", "silver"]
    assert Review.objects.count() == 1


def test_pages_ask_the_same_number_of_queries_whatever_there_was(
    kobo: Organisation, root: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    choice = url("plan_change", kobo, category="licence")
    review = choose(root, kobo, "pro")
    root.get(review)

    plans.forget()
    with django_assert_num_queries(23):
        root.get(choice)
    with django_assert_num_queries(29):
        root.get(review)
    for number, code in enumerate(["gold", "silver", "gold"]):
        with at(NOW + timedelta(minutes=number + 1)):
            root.post(choose(root, kobo, code, "support"))
    for number in range(2, 5):
        make.plan_version(f"plan-{number}")
    review = choose(root, kobo, "pro")
    plans.forget()
    with django_assert_num_queries(23):
        root.get(choice)
    with django_assert_num_queries(29):
        root.get(review)
