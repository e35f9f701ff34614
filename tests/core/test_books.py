"""The registry of checks: who names them, and what an audit does with them. Rule: reliability.md 3."""

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from core import books
from core.books import Breach, Check, Scope
from core.months import BillingMonth

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def check(invariant: str = "I99") -> tuple[Check, list[Scope]]:
    """Return a check that always finds one row, and the scopes that it was asked with."""
    asked: list[Scope] = []

    def find(scope: Scope) -> Iterator[Mapping[str, object]]:
        asked.append(scope)
        yield {"row": 7, "at": NOW}

    return Check(invariant, "a row is there", find), asked


def test_every_invariant_with_tables_is_asked() -> None:
    asked = {check.invariant for check in books.checks()}

    assert asked == {
        *("I01", "I02", "I03", "I04", "I05", "I06", "I07", "I08", "I09", "I10"),
        *("I11", "I12", "I13", "I14", "I15", "I16", "I17", "I18", "I19", "I20", "I21", "I22"),
        *("R17", "B-02"),
    }


def test_no_check_is_named_twice() -> None:
    named = [(check.invariant, check.what) for check in books.checks()]

    assert len(named) == len(set(named))


@pytest.mark.django_db
def test_breaches_names_each_row_as_text() -> None:
    found, asked = check()

    told = books.breaches(since=BillingMonth(2026, 10), now=NOW, among=[found])

    assert told == [
        Breach("I99", "a row is there", {"row": "7", "at": "2026-11-22T05:00:00+00:00"})
    ]
    assert str(told[0]) == "I99 a row is there: row=7 at=2026-11-22T05:00:00+00:00"
    assert asked == [Scope(BillingMonth(2026, 10), NOW)]


@pytest.mark.django_db
def test_by_sql_leaves_a_timed_question_out_without_a_time() -> None:
    timed = books.by_sql("I99", "it is late", "SELECT %(now)s::timestamptz AS at", timed=True)

    assert books.breaches(among=[timed]) == []
    assert [each.ids["at"] for each in books.breaches(now=NOW, among=[timed])] == [NOW.isoformat()]


@pytest.mark.django_db
def test_breaches_tells_which_question_is_asked() -> None:
    found, _ = check()
    said: list[Check] = []

    books.breaches(among=[found], progress=said.append)

    assert said == [found]


@pytest.mark.django_db
def test_audit_books_has_nothing_to_say_of_an_empty_portal() -> None:
    out = io.StringIO()

    call_command("audit_books", stdout=out, stderr=io.StringIO())

    assert out.getvalue() == "The books are sound.\n"


def test_audit_books_refuses_what_is_no_month() -> None:
    with pytest.raises(CommandError, match="write YYYY-MM"):
        call_command("audit_books", "--since", "October")
