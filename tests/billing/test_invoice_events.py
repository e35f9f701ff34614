"""The last step of an explanation: the events behind a day of an issued line."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation
from billing.models import Invoice
from tests import make
from tests.billing import books
from tests.usage.books import row, take


@pytest.fixture
def organisation(client: Client, db: None) -> Organisation:
    """A customer whose October is billed: 120 events of 1,000 calls on the 3rd, one at midnight."""
    organisation = books.customer(books.starter())
    client.force_login(make.member(organisation).user)
    client.cookies["django_language"] = "en"
    take(
        *(
            row(
                number,
                organisation=organisation.reference,
                event_id=f"e{number:03}",
                occurred_at=f"2026-10-03T{number // 60:02}:{number % 60:02}:00+09:00",
                quantity="1000.5",
            )
            for number in range(120)
        ),
        row(
            121,
            organisation=organisation.reference,
            event_id="=1+1",
            occurred_at="2026-10-03T23:59:59.999999+09:00",
            quantity="7",
        ),
        row(
            122,
            organisation=organisation.reference,
            event_id="next day",
            occurred_at="2026-10-04T00:00:00+09:00",
            quantity="1",
        ),
    )
    books.bill()
    return organisation


def address(name: str, organisation: Organisation, day: str = "2026-10-03") -> str:
    invoice = Invoice.objects.get(organisation=organisation)
    return reverse(
        name,
        kwargs={
            "organisation": organisation.public_id,
            "invoice": invoice.public_id,
            "position": 2,
            "day": day,
        },
    )


def test_events_of_a_day_are_paged_in_order_of_their_times(
    client: Client, organisation: Organisation
) -> None:
    page = address("invoice_day", organisation)

    first = client.get(page)
    second = client.get(page, {"after": first.context["following"]})

    ids = [event.event_id for event in (*first.context["events"], *second.context["events"])]
    assert ids == [*(f"e{number:03}" for number in range(120)), "=1+1"]
    assert len(first.context["events"]) == 100
    assert second.context["following"] == ""
    assert "3 October 2026, 00:00 JST" in first.content.decode()
    assert "Events on 3 October 2026" in first.content.decode()


@pytest.mark.parametrize("after", ["", "x", "2026-10-03,e1", "2026-10-03T00:00:00+09:00,", "\0"])
def test_a_place_that_is_none_shows_the_day_from_its_beginning(
    client: Client, organisation: Organisation, after: str
) -> None:
    response = client.get(address("invoice_day", organisation), {"after": after})

    assert response.context["events"][0].event_id == "e000"


def test_events_of_a_day_can_be_saved_whole(client: Client, organisation: Organisation) -> None:
    response = client.get(address("invoice_day_csv", organisation))

    text = response.getvalue().decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert table[1] == ["e000", "2026-10-03T00:00:00+09:00", "1000.5", "", ""]
    assert table[-1][0] == "'=1+1"
    assert sum(Decimal(line[2]) for line in table[1:]) == Decimal(120067)


def test_days_of_the_line_lead_to_the_printed_amount(
    client: Client, organisation: Organisation
) -> None:
    # 120 x 1,000.5 + 7 + 1 = 120,068 calls; 20,068 over at 0.01 = 200.68 -> 200.
    invoice = Invoice.objects.get(organisation=organisation)
    line = client.get(
        reverse(
            "invoice_line",
            kwargs={
                "organisation": organisation.public_id,
                "invoice": invoice.public_id,
                "position": 2,
            },
        )
    )

    days = {each.day: each.quantity for each in line.context["days"].days if each.events}
    assert days == {date(2026, 10, 3): Decimal(120_067), date(2026, 10, 4): Decimal(1)}
    assert line.context["line"].row.net == 200


def test_a_day_without_events_says_so(client: Client, organisation: Organisation) -> None:
    page = client.get(address("invoice_day", organisation, "2026-10-05"))

    assert "No event of this meter lies on this day." in page.content.decode()
