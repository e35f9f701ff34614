"""How long a contract still runs, its days in words, and its file for a calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from core.months import add_months
from ordering.rules.calendar import Event, calendar
from ordering.rules.remaining import remaining
from ordering.views.consequences import period


@pytest.mark.parametrize(
    ("today", "end_on", "left"),
    [
        pytest.param(date(2026, 1, 31), date(2026, 3, 1), (1, 0), id="a month from the 31st"),
        pytest.param(date(2026, 2, 1), date(2026, 3, 1), (1, 0), id="a whole February"),
        pytest.param(date(2026, 2, 2), date(2026, 3, 1), (0, 27), id="a day less"),
        pytest.param(date(2026, 1, 15), date(2026, 3, 25), (2, 10), id="two months and ten days"),
        pytest.param(date(2026, 2, 28), date(2026, 3, 1), (0, 1), id="the last day"),
        pytest.param(date(2026, 3, 1), date(2026, 3, 1), (0, 0), id="over"),
        pytest.param(date(2027, 3, 1), date(2026, 3, 1), (0, 0), id="long over"),
        pytest.param(date(2028, 2, 29), date(2029, 3, 1), (12, 0), id="from a leap day"),
    ],
)
def test_remaining_counts_months_as_the_contract_does(
    today: date, end_on: date, left: tuple[int, int]
) -> None:
    """Rule: domain.md 3.2."""
    assert remaining(today, end_on) == left


@given(
    today=st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    end_on=st.dates(date(2020, 1, 1), date(2037, 12, 31)),
)
def test_remaining_leads_from_today_to_the_end(today: date, end_on: date) -> None:
    months, days = remaining(today, end_on)

    since = add_months(today, months) if months else today
    assert since + timedelta(days=days) == max(today, end_on)
    assert days <= 31


@pytest.mark.parametrize(
    ("language", "first", "end", "told"),
    [
        ("en", date(2026, 1, 31), date(2026, 3, 1), "31 January to 28 February 2026"),
        (
            "ja",
            date(2026, 1, 31),
            date(2026, 3, 1),
            "2026年1月31日",
        ),
        ("en", date(2028, 2, 29), date(2029, 3, 1), "29 February 2028 to 28 February 2029"),
        ("en", date(2026, 12, 15), date(2027, 3, 15), "15 December 2026 to 14 March 2027"),
    ],
)
def test_a_period_is_told_with_its_last_day_included(
    language: str, first: date, end: date, told: str
) -> None:
    """Rule: domain.md 3.2; the year is said once where it is the same."""
    with translation.override(language):
        assert period(first, end).startswith(told)


AT = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)


def test_a_calendar_has_all_day_events_with_their_own_uids() -> None:
    """Rule: RFC 5545."""
    event = Event(
        "last-7@portal.example", date(2026, 2, 28), "Last day", "1 month; till, then \\ \n end"
    )

    made = calendar("Contract", [event], revised_at=AT, product="-//Portal//EN")

    assert made.decode() == (
        "BEGIN:VCALENDAR\r\n"
        "VERSION:2.0\r\n"
        "PRODID:-//Portal//EN\r\n"
        "CALSCALE:GREGORIAN\r\n"
        "METHOD:PUBLISH\r\n"
        "X-WR-CALNAME:Contract\r\n"
        "BEGIN:VEVENT\r\n"
        "UID:last-7@portal.example\r\n"
        "DTSTAMP:20260131T030000Z\r\n"
        "DTSTART;VALUE=DATE:20260228\r\n"
        "DTEND;VALUE=DATE:20260301\r\n"
        "SUMMARY:Last day\r\n"
        "DESCRIPTION:1 month\\; till\\, then \\\\ \\n end\r\n"
        "TRANSP:TRANSPARENT\r\n"
        "END:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    )


@given(text=st.text(max_size=300))
def test_a_calendar_folds_long_lines_between_characters(text: str) -> None:
    event = Event("1@x", date(2026, 2, 28), "契約の最終日です。" * 12, text)

    made = calendar("こうぼ工房のご契約", [event], revised_at=AT, product="p")

    lines = made.split(b"\r\n")
    assert made.endswith(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert all(line.decode() is not None for line in lines)
    unfolded = made.decode().replace("\r\n ", "")
    assert f"SUMMARY:{'契約の最終日です。' * 12}\r\n" in unfolded
    assert unfolded.count("\nDESCRIPTION:") == (1 if text else 0)
