import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from spot_orders import services
from spot_orders.models import SpotOrder
from tests import make
from tests.billing import spots

LIST = reverse("admin:spot_orders_spotorder_changelist")

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", registered_at=make.NOW))
    return client


def page(order: SpotOrder) -> str:
    return reverse("admin:spot_orders_spotorder_change", args=[order.pk])


def numbers(staff: Client, query: str) -> list[str]:
    answer = staff.get(LIST, {"q": query})
    return [order.number for order in answer.context["cl"].result_list]


def test_an_order_is_found_by_its_number_and_by_its_organisation(staff: Client) -> None:
    aoba = spots.placed(spots.customer(name="Aoba Devices", reference="aoba"))
    wakaba = spots.placed(spots.customer(name="Wakaba Works", reference="wakaba"))

    assert numbers(staff, "") == [wakaba.number, aoba.number]
    assert numbers(staff, aoba.number) == [aoba.number]
    assert numbers(staff, aoba.number.lower()) == [aoba.number]
    assert numbers(staff, "wakaba") == [wakaba.number]
    assert numbers(staff, "Aoba Dev") == [aoba.number]
    assert numbers(staff, "nobody") == []


def test_the_list_asks_the_same_number_of_queries_however_many_there_are(
    staff: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    spots.placed(spots.customer())
    staff.get(LIST)
    with django_assert_num_queries(4):
        staff.get(LIST)

    for _ in range(3):
        spots.placed(spots.customer())

    with django_assert_num_queries(4):
        staff.get(LIST)


def test_its_page_says_what_it_is_and_what_it_costs(staff: Client) -> None:
    order = spots.paid(spots.customer(), accounts=200, months=2)

    body = staff.get(page(order)).content.decode()

    for words in (order.number, "22,000", "2,000", "2026-12-10: 2 × 5,000", "2027-01-10: 2 ×"):
        assert words in body.replace("¥", "").replace("JPY ", "")


def test_orders_are_read_and_never_changed_here(staff: Client) -> None:
    order = spots.placed(spots.customer())

    assert staff.get(reverse("admin:spot_orders_spotorder_add")).status_code == 403
    assert staff.post(page(order), {"state": "paid"}).status_code == 403
    delete = reverse("admin:spot_orders_spotorder_delete", args=[order.pk])
    assert staff.post(delete, {"post": "yes"}).status_code == 403
    order.refresh_from_db()
    assert order.state == "placed"
    services.lapse(order_id=order.pk, actor=make.ACTOR, now=spots.NOW)
    assert staff.get(page(order)).status_code == 200
