import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.enums import Role
from accounts.models import Organisation
from core import clock
from plans.models import Meter
from tests import make
from tests.pages import customers

pytestmark = pytest.mark.django_db

# 22 November 2026, 14:05 in Tokyo
NOW = datetime(2026, 11, 22, 5, 5, tzinfo=UTC)


@pytest.fixture
def aoba() -> Iterator[Organisation]:
    with clock.fixed_at(NOW):
        yield customers.aoba()


@pytest.fixture
def manager(aoba: Organisation) -> Client:
    make.member(aoba)
    return _signed_in(aoba, Role.MANAGER)


def _signed_in(organisation: Organisation, role: Role, language: str = "en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(make.member(organisation, role=role).user)
    return client


def _page(client: Client, organisation: Organisation, query: str = "", **headers: str) -> str:
    url = reverse("usage", kwargs={"organisation": organisation.public_id})
    answer = client.get(url + query, headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def _csv(client: Client, organisation: Organisation, query: str) -> list[list[str]]:
    url = reverse("usage_csv", kwargs={"organisation": organisation.public_id})
    answer = client.get(url + query)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return list(csv.reader(io.StringIO(answer.getvalue().decode().removeprefix("\ufeff"))))


def test_the_page_opens_with_the_provisional_figure(aoba: Organisation, manager: Client) -> None:
    page = _page(manager, aoba)

    # 10,000 + 3,000 + 200 for 20,000.5 calls over; 1,320 tax.
    assert '<span class="money money--figure">¥14,520</span> so far, tax included' in page
    assert "provisional" in page
    assert "As of 22 November 2026, 14:05 JST." in page
    assert "The bill is made on 1 December 2026; it can still change." in page


def test_the_table_adds_up_to_the_figure(aoba: Organisation, manager: Client) -> None:
    page = _page(manager, aoba)

    assert 'data-label="Included">100,000</td>' in page
    assert 'data-label="Used">120,000.5</td>' in page
    assert 'data-label="Over">20,000.5</td>' in page
    assert 'data-label="Amount (net)">¥200</td>' in page
    assert 'Consumption tax 10%</th><td class="table__number">¥1,320</td>' in page
    assert '<td class="table__number">¥14,520</td>' in page


def test_an_amount_says_how_it_was_computed(aoba: Organisation, manager: Client) -> None:
    page = _page(manager, aoba)

    assert "<li>120,000.5 used − 100,000 included = 20,000.5 over</li>" in page
    assert "<li>20,000.5 × ¥0.01 = ¥200.005</li>" in page
    assert "<li>rounded down, once: ¥200</li>" in page
    assert "<li>2 × ¥5,000 a month = ¥10,000</li>" in page


def test_the_chart_stands_over_a_table_of_the_same_numbers(
    aoba: Organisation, manager: Client
) -> None:
    page = _page(manager, aoba)

    assert "<title>4 Nov: 60,000.5</title>" in page
    assert "included quantity reached on 4 Nov" in page
    assert (
        '<tr><th scope="row">4 Nov</th><td class="table__number">60,000.5</td>'
        '<td class="table__number">30</td></tr>'
    ) in page
    assert '<th scope="row">22 Nov</th>' in page
    assert '<th scope="row">23 Nov</th>' not in page


def test_a_column_has_one_number_of_decimals(aoba: Organisation, manager: Client) -> None:
    page = _page(manager, aoba)

    assert '<tr><th scope="row">3 Nov</th><td class="table__number">60,000.0</td>' in page


def test_the_month_before_is_there_to_compare(aoba: Organisation, manager: Client) -> None:
    page = _page(manager, aoba)

    assert (
        '?date=2026-10">October 2026</a>: <span class="money">¥14,300</span> (provisional)' in page
    )
    assert 'data-label="October 2026">50,000</td>' in page


def test_a_closed_month_is_final_and_says_what_the_invoice_says(
    aoba: Organisation, manager: Client
) -> None:
    customers.close(aoba, customers.OCTOBER)
    late = Meter.objects.get(code="api_calls")
    customers.use(aoba, late, date(2026, 10, 30), "70000")

    page = _page(manager, aoba, "?date=2026-10")

    assert '<span class="money money--figure">¥14,300</span> tax included' in page
    assert "This is what the invoice says." in page
    assert "so far" not in page
    assert 'data-label="Used">50,000</td>' in page
    assert "+70,000 came in after the bill" in page


def test_a_closed_month_leads_the_root_to_its_invoice(aoba: Organisation) -> None:
    root = _signed_in(aoba, Role.ROOT)
    manager = _signed_in(aoba, Role.MANAGER)
    customers.close(aoba, customers.OCTOBER)
    ids = {"organisation": aoba.public_id, "invoice": aoba.invoices.get().public_id}
    link = f'<a href="{reverse("invoice", kwargs=ids)}">Open the invoice</a>'

    assert link in _page(root, aoba, "?date=2026-10")
    assert "Open the invoice" not in _page(root, aoba, "?date=2026-11")
    assert "Open the invoice" not in _page(manager, aoba, "?date=2026-10")


def test_the_page_speaks_japanese(aoba: Organisation) -> None:
    make.member(aoba)

    page = _page(_signed_in(aoba, Role.MANAGER, "ja"), aoba)

    assert '<html lang="ja">' in page
    assert "カモメ・コネクト株式会社" in page
    assert '<span class="money money--figure">14,520円</span>' in page
    assert '<th scope="row">11月4日</th>' in page


@pytest.mark.parametrize("query", ["?date=2026-10", "?year=2026&month=10"])
def test_a_month_is_chosen_by_date_or_by_year_and_month(
    query: str, aoba: Organisation, manager: Client
) -> None:
    page = _page(manager, aoba, query)

    assert "<title>Usage · October 2026" in page
    assert '<option value="10" selected>October</option>' in page
    assert 'rel="next"' in page


def test_only_months_of_the_contract_can_be_chosen(aoba: Organisation, manager: Client) -> None:
    page = _page(manager, aoba)

    months = [number for number in range(1, 13) if f'<option value="{number}"' in page]
    assert months == [9, 10, 11]
    assert '<option value="2026" selected>2026</option>' in page
    assert 'rel="next"' not in page


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("?date=2026-08", id="before the contract"),
        pytest.param("?date=2026-12", id="not begun"),
        pytest.param("?date=2026-13", id="no month"),
        pytest.param("?date=2026-11-01", id="a day"),
        pytest.param("?date=", id="empty"),
        pytest.param("?date=٢٠٢٦-١١", id="other digits"),
        pytest.param("?date=2026-11%00", id="a null byte"),
        pytest.param("?date=<script>", id="markup"),
        pytest.param("?date=2026-10&date=2026-11", id="twice"),
        pytest.param("?date=2026-10&year=2026&month=10", id="two ways"),
        pytest.param("?year=2026", id="half of it"),
        pytest.param("?year=2026&month=0", id="month zero"),
        pytest.param("?year=-2026&month=11", id="a year before all"),
        pytest.param("?year=99999999999&month=11", id="a year too long"),
    ],
)
@pytest.mark.parametrize("name", ["usage", "usage_csv"])
def test_a_month_that_is_none_is_refused_in_words(
    query: str, name: str, aoba: Organisation, manager: Client
) -> None:
    answer = manager.get(reverse(name, kwargs={"organisation": aoba.public_id}) + query)

    assert answer.status_code == 400
    words = "There is no such month to show. Choose one from September 2026 to November 2026."
    assert words in answer.content.decode()
    assert "<script>" not in answer.content.decode()


def test_htmx_gets_the_part_alone(aoba: Organisation, manager: Client) -> None:
    url = reverse("usage", kwargs={"organisation": aoba.public_id})

    answer = manager.get(url, headers={"HX-Request": "true"})

    part = answer.content.decode()
    assert "<html" not in part
    assert '<div id="month">' in part
    assert 'hx-swap-oob="innerHTML"' in part
    assert "HX-Request" in answer.headers["Vary"]
    assert '<div id="month">' in manager.get(url).content.decode()


def test_htmx_with_an_ended_session_loads_the_sign_in_as_a_whole_page(aoba: Organisation) -> None:
    url = reverse("usage", kwargs={"organisation": aoba.public_id})

    answer = Client().get(
        url,
        headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{url}?date=2026-10"},
    )

    assert answer.status_code == 200
    assert answer.headers["HX-Redirect"] == f"/account/login/?next={url}%3Fdate%3D2026-10"
    assert answer.content == b""


def test_the_page_asks_a_fixed_number_of_statements(
    aoba: Organisation, manager: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    calls = Meter.objects.get(code="api_calls")
    _page(manager, aoba)

    with django_assert_num_queries(4):
        _page(manager, aoba)

    for day in range(5, 20):
        customers.use(aoba, calls, date(2026, 11, day), "1")
    with django_assert_num_queries(4):
        _page(manager, aoba)


def test_a_customer_without_usage_is_told_what_will_be_here(aoba: Organisation) -> None:
    new = make.organisation(name="New", customer_since=date(2026, 11, 20))
    make.member(new)

    page = _page(_signed_in(new, Role.MANAGER), new)

    assert "Nothing was used in this month yet" in page
    assert '<span class="money money--figure">¥0</span>' in page


def test_the_days_as_csv_are_the_days_of_the_table(aoba: Organisation, manager: Client) -> None:
    assert _csv(manager, aoba, "?date=2026-11") == [
        ["day", "meter", "name", "unit", "quantity"],
        ["2026-11-03", "api_calls", "Api calls", "calls", "60000"],
        ["2026-11-04", "api_calls", "Api calls", "calls", "60000.5"],
        ["2026-11-04", "active_devices", "Active devices", "calls", "30"],
    ]


def test_the_amounts_as_csv_add_up_to_the_bill(aoba: Organisation, manager: Client) -> None:
    head, *rows = _csv(manager, aoba, "?date=2026-11&part=amounts")

    assert head == ["month", "state", "kind", "meter", "name", "quantity", "amount", "currency"]
    assert [row[2:] for row in rows] == [
        ["fee", "", "Starter 200", "2", "10000", "JPY"],
        ["fee", "", "Silver", "1", "3000", "JPY"],
        ["usage", "api_calls", "Api calls", "120000.5", "200", "JPY"],
        ["usage", "active_devices", "Active devices", "30", "0", "JPY"],
        ["tax", "", "JP10", "0.1", "1320", "JPY"],
        ["total", "", "", "", "14520", "JPY"],
    ]


def test_a_name_that_looks_like_a_formula_stays_text(aoba: Organisation, manager: Client) -> None:
    Meter.objects.filter(code="api_calls").update(name_en='=HYPERLINK("//evil")')

    rows = _csv(manager, aoba, "?date=2026-11")

    assert rows[1][2] == '\'=HYPERLINK("//evil")'


def test_names_are_escaped_wherever_they_stand(aoba: Organisation, manager: Client) -> None:
    evil = '"><script>alert(1)</script>'
    Meter.objects.update(name_en=evil, unit_en=evil)
    Organisation.objects.filter(pk=aoba.pk).update(name=evil)

    assert evil not in _page(manager, aoba)
