from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.enums import DifferenceKind
from payments.rules import matching
from payments.rules.matching import Entry, Finding, Standing, Way

NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
KEY = "abcdefghijklmnopqr23"
PREFIX = "KC-"


def row(
    *,
    way: Way = Way.IN,
    standing: Standing = Standing.MOVED,
    amount: int = 5_500,
    currency: str = "JPY",
    reference: str = "CAPTURE1",
    key: str = KEY,
    parent: str = "",
    is_expected: bool = True,
) -> Entry:
    name = "charge:1" if way is Way.IN else "refund:1"
    return Entry(
        way=way,
        standing=standing,
        amount=amount,
        currency=currency,
        reference=reference,
        key=key,
        at=NOON,
        parent=parent,
        name=name,
        is_expected=is_expected,
    )


def told(
    *,
    way: Way = Way.IN,
    standing: Standing = Standing.MOVED,
    amount: int = 5_500,
    currency: str = "JPY",
    reference: str = "CAPTURE1",
    key: str = KEY,
    number: str = "",
    parent: str = "",
    minutes: int = 0,
) -> Entry:
    return Entry(
        way=way,
        standing=standing,
        amount=amount,
        currency=currency,
        reference=reference,
        key=key,
        at=NOON + timedelta(minutes=minutes),
        number=number,
        parent=parent,
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        pytest.param(row(), told(), None, id="the same on both sides"),
        pytest.param(row(reference=""), told(), None, id="by key, its reference unknown here"),
        pytest.param(row(), told(key=""), None, id="by reference, its key not given back"),
        pytest.param(row(), told(amount=5_499), DifferenceKind.AMOUNT, id="one yen less"),
        pytest.param(row(), told(currency="USD"), DifferenceKind.AMOUNT, id="another currency"),
        pytest.param(
            row(standing=Standing.OPEN, reference=""),
            told(),
            DifferenceKind.STATE,
            id="taken there, undecided here",
        ),
        pytest.param(
            row(standing=Standing.NOTHING),
            told(),
            DifferenceKind.STATE,
            id="taken there, declined here",
        ),
        pytest.param(
            row(),
            told(standing=Standing.NOTHING),
            DifferenceKind.STATE,
            id="taken here, refused there",
        ),
        pytest.param(
            row(),
            told(standing=Standing.OPEN),
            DifferenceKind.STATE,
            id="taken here, pending there",
        ),
        pytest.param(
            row(standing=Standing.OPEN),
            told(standing=Standing.OPEN),
            None,
            id="pending on both sides",
        ),
        pytest.param(
            row(standing=Standing.NOTHING),
            told(standing=Standing.NOTHING, amount=1),
            None,
            id="nothing on both sides, whatever the amount",
        ),
        pytest.param(
            row(way=Way.OUT, reference="R9", key="x", parent="CAPTURE1"),
            told(way=Way.OUT, reference="R1", key=KEY, parent="CAPTURE1"),
            None,
            id="given back: by its capture and amount",
        ),
    ],
)
def test_compare_judges_what_belongs_together(
    ours: Entry, theirs: Entry, kind: DifferenceKind | None
) -> None:
    found = matching.compare([ours], [theirs], prefix=PREFIX)

    assert [*found.matched, *found.different] == [Finding(kind, ours, (theirs,))]
    assert found.strangers == ()


@pytest.mark.parametrize(
    ("ours", "kind"),
    [
        pytest.param(row(), DifferenceKind.MISSING_THERE, id="taken here"),
        pytest.param(row(is_expected=False), None, id="taken here, not to be in this report"),
        pytest.param(row(standing=Standing.OPEN), None, id="undecided here"),
        pytest.param(row(standing=Standing.NOTHING), None, id="declined here"),
    ],
)
def test_compare_misses_there_only_what_was_taken(ours: Entry, kind: DifferenceKind | None) -> None:
    found = matching.compare([ours], [], prefix=PREFIX)

    assert [*found.matched, *found.different] == [Finding(kind, ours)]


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(told(), id="our key"),
        pytest.param(told(key="", number="KC-17"), id="our number"),
        pytest.param(told(standing=Standing.OPEN), id="our key, still pending"),
    ],
)
def test_compare_misses_here_what_looks_like_ours(theirs: Entry) -> None:
    found = matching.compare([], [theirs], prefix=PREFIX)

    assert found == matching.Comparison(
        matched=(), different=(Finding(DifferenceKind.MISSING_HERE, None, (theirs,)),), strangers=()
    )


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(told(key="order 17 of the other shop"), id="another shop's key"),
        pytest.param(told(key="", number="17"), id="another shop's number"),
        pytest.param(told(way=Way.OUT, key="", parent="OTHER"), id="of another shop's capture"),
    ],
)
def test_compare_leaves_other_shops_alone(theirs: Entry) -> None:
    found = matching.compare([row(reference="CAPTURE9")], [theirs], prefix=PREFIX)

    assert found.strangers == (Finding(None, None, (theirs,)),)


def test_compare_misses_here_the_second_capture_of_one_attempt() -> None:
    first, second = told(reference="A"), told(reference="B", minutes=1)

    found = matching.compare([row(reference="")], [second, first], prefix=PREFIX)

    assert found.matched == (Finding(None, row(reference=""), (first,)),)
    assert found.different == (Finding(DifferenceKind.MISSING_HERE, None, (second,)),)


def test_compare_misses_here_what_was_given_back_by_others() -> None:
    refund = told(way=Way.OUT, reference="R1", key="", parent="CAPTURE1", amount=500)

    found = matching.compare([row()], [told(), refund], prefix=PREFIX)

    assert found.different == (Finding(DifferenceKind.MISSING_HERE, None, (refund,)),)


def test_compare_takes_the_last_word_on_one_movement() -> None:
    pending, done = told(standing=Standing.OPEN), told(minutes=9)

    found = matching.compare([row()], [pending, done], prefix=PREFIX)

    assert found.matched == (Finding(None, row(), (done, pending)),)


_few = st.sampled_from
_entries = st.builds(
    Entry,
    way=_few(list(Way)),
    standing=_few(list(Standing)),
    amount=_few([100, 200]),
    currency=_few(["JPY", "USD"]),
    reference=_few(["", "R1", "R2", "R3"]),
    key=_few(["", KEY, KEY[::-1], "theirs"]),
    at=_few([NOON, NOON + timedelta(hours=1)]),
    number=_few(["", "KC-1", "9"]),
    parent=_few(["", "R1", "R2"]),
)
_ours = st.lists(st.tuples(_entries, st.integers(1, 99)), max_size=6).map(
    lambda found: [_named(entry, name) for entry, name in found]
)
_theirs = st.lists(_entries, max_size=6)


def _named(entry: Entry, name: int) -> Entry:
    return Entry(
        way=entry.way,
        standing=entry.standing,
        amount=entry.amount,
        currency=entry.currency,
        reference=entry.reference,
        key=entry.key,
        at=entry.at,
        parent=entry.parent,
        name=f"charge:{name}",
        is_expected=entry.amount == 100,
    )


@given(ours=_ours, theirs=_theirs, data=st.data())
def test_compare_does_not_depend_on_the_order_of_either_side(
    ours: list[Entry], theirs: list[Entry], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(ours)), data.draw(st.permutations(theirs))

    assert matching.compare(*shuffled, prefix=PREFIX) == matching.compare(
        ours, theirs, prefix=PREFIX
    )


@given(ours=_ours, theirs=_theirs)
def test_compare_puts_every_entry_into_exactly_one_finding(
    ours: list[Entry], theirs: list[Entry]
) -> None:
    found = matching.compare(ours, theirs, prefix=PREFIX)

    findings = [*found.matched, *found.different, *found.strangers]
    assert Counter(each.ours for each in findings if each.ours) == Counter(ours)
    assert Counter(entry for each in findings for entry in each.theirs) == Counter(theirs)


@given(entries=_theirs)
def test_compare_finds_no_difference_between_a_side_and_itself(entries: list[Entry]) -> None:
    once = {(entry.way, entry.reference): entry for entry in entries if entry.reference}
    same = list(once.values())

    assert matching.compare(same, same, prefix=PREFIX).different == ()
