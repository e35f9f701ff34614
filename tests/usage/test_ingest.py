import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from plans.enums import Aggregation
from tests import make
from tests.usage import books
from tests.usage.books import row, take
from usage.models import DailyUsage, UsageEvent, UsageRevision
from usage.rules import Refused
from usage.services import batches, ingest
from usage.services.batches import Row, TooManyEvents
from usage.services.ingest import Report
from usage.services.staging import Window


@pytest.fixture
def _aoba(db: None) -> None:
    make.vendor()
    make.organisation(reference="aoba", customer_since=date(2026, 1, 1))
    make.meter("api_calls")
    make.meter("devices", aggregation=Aggregation.MAX)
    make.meter("storage", aggregation=Aggregation.LAST)


def only_day() -> tuple[date, Decimal, int]:
    kept = DailyUsage.objects.get()
    return kept.day, kept.quantity, kept.events


@pytest.mark.usefixtures("_aoba")
def test_ingest_stores_events_and_their_days() -> None:
    report = take(
        row(
            1, event_id="a", occurred_at="2026-11-21T14:59:59.999999Z", quantity="1.000000000000001"
        ),
        row(2, event_id="b", occurred_at="2026-11-22T00:00:00+09:00", quantity="2"),
        row(3, event_id="c", occurred_at="2026-11-21 15:00:00Z", quantity="-0.5"),
    )

    assert report == Report(3, 0, [], [])
    assert list(DailyUsage.objects.order_by("day").values_list("day", "quantity", "events")) == [
        (date(2026, 11, 21), Decimal("1.000000000000001"), 1),
        (date(2026, 11, 22), Decimal("1.5"), 2),
    ]
    assert UsageEvent.objects.count() == 3
    assert not UsageRevision.objects.exists()


@pytest.mark.usefixtures("_aoba")
def test_ingest_counts_the_same_event_once_for_ever() -> None:
    first = row(1, event_id="a", quantity="5")
    take(first)

    again = take(first, row(2, event_id="b", quantity="7"), row(3, event_id="b", quantity="7.0"))

    assert again == Report(1, 2, [], [])
    assert only_day() == (date(2026, 11, 20), Decimal(12), 2)
    assert take(first, row(2, event_id="b", quantity="7")) == Report(0, 2, [], [])
    assert only_day() == (date(2026, 11, 20), Decimal(12), 2)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"quantity": "6"}, "quantity"),
        ({"meter": "devices"}, "meter"),
        ({"occurred_at": "2026-11-20T10:00:01+09:00"}, "occurred_at"),
    ],
)
@pytest.mark.usefixtures("_aoba")
def test_ingest_reports_the_same_event_with_another_body(
    changed: dict[str, str], field: str
) -> None:
    take(row(event_id="a", quantity="5"))

    report = take(with_fields(row(7, event_id="a", quantity="5"), changed), row(8, event_id="b"))

    assert report == Report(
        1, 0, [Refused(7, "another_body", f"The event was taken before with another {field}.")], []
    )
    assert only_day() == (date(2026, 11, 20), Decimal(6), 2)


@pytest.mark.usefixtures("_aoba")
def test_ingest_reports_an_event_that_comes_twice_in_a_batch_with_another_body() -> None:
    report = take(row(1, quantity="5"), row(2, quantity="6"), row(3, quantity="5"))

    assert report == Report(
        1,
        1,
        [
            Refused(
                2,
                "another_body_in_batch",
                "The event comes twice in this batch, with another quantity.",
            )
        ],
        [],
    )
    assert only_day() == (date(2026, 11, 20), Decimal(5), 1)


@pytest.mark.usefixtures("_aoba")
def test_ingest_finds_what_is_stored_behind_what_is_new() -> None:
    def event(number: int, event_id: str, quantity: str = "1") -> Row:
        return row(number, event_id=event_id, quantity=quantity, occurred_at="2026-11-20T01:00:00Z")

    take(event(1, "b", "5"), event(2, "d", "7"))

    again = take(event(1, "a"), event(2, "b", "5"), event(3, "c"), event(4, "d", "7.0"))
    other = take(event(1, "a0"), event(2, "b", "6"))

    assert again == Report(2, 2, [], [])
    assert (other.accepted, [refused.row for refused in other.conflicts]) == (1, [2])
    assert only_day() == (date(2026, 11, 20), Decimal(15), 5)


@pytest.mark.usefixtures("_aoba")
def test_ingest_rejects_a_time_that_is_none_between_times_that_are() -> None:
    times = ("2026-11-20T10:00:00Z", "2026-11-20T10:75:00Z", "2026-11-20T11:00:00Z")

    report = take(*(row(n, event_id=str(n), occurred_at=at) for n, at in enumerate(times, 1)))

    assert report.accepted == 2
    assert [(refused.row, refused.code) for refused in report.rejected] == [
        (2, "occurred_at_wrong")
    ]


_straight_events = st.builds(
    row,
    organisation=st.sampled_from(["aoba", "hinode"]),
    event_id=st.sampled_from(["a", "B", "c", "d1", "e-9"]),
    meter=st.sampled_from(["api_calls", "devices", "storage"]),
    occurred_at=st.sampled_from(
        ["2026-11-20T10:00:00Z", "2026-11-20T11:59:59Z", "2026-10-31T14:59:59Z"]
    ),
    quantity=st.decimals(0, 5, places=15).map(str) | st.sampled_from(["007", "1.50", "1e1"]),
)


class StraightIsCareful(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        before=st.lists(_straight_events, max_size=3),
        given_rows=st.lists(_straight_events, max_size=6),
    )
    def test_the_straight_way_stores_and_says_what_the_careful_way_does(
        self, before: list[Row], given_rows: list[Row]
    ) -> None:
        make.vendor()
        make.organisation(reference="aoba")
        make.organisation(reference="hinode")
        for code, aggregation in zip(METERS, Aggregation, strict=True):
            make.meter(code, aggregation=aggregation)
        outcomes = []
        for is_careful in (False, True):
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM usage_event; DELETE FROM usage_dailyusage")
                cursor.execute("DELETE FROM usage_usagerevision")
            reports = []
            for rows in (before, given_rows):
                batch = batches.of_rows([one._replace(number=n) for n, one in enumerate(rows, 1)])
                if is_careful:
                    batch = replace(batch, canonical=False)
                reports.append(ingest.ingest(batch, now=books.NOW, window=books.WINDOW))
            stored = set(UsageEvent.objects.values_list())
            revisions = set(UsageRevision.objects.values_list())
            outcomes.append((reports, stored, books.days(), revisions))

        assert outcomes[0] == outcomes[1]


@pytest.mark.usefixtures("_aoba")
def test_ingest_takes_an_event_id_again_on_another_day() -> None:
    report = take(row(1), row(2, occurred_at="2026-11-21T10:00:00+09:00"))

    assert report == Report(2, 0, [], [])


def with_fields(one: Row, changed: Mapping[str, str | None]) -> Row:
    values = {**one._asdict(), **changed}
    return Row(one.number, *(values[name] for name in Row._fields[1:]))


WRONG = [
    pytest.param({"organisation": None}, "organisation_missing", id="no organisation"),
    pytest.param({"organisation": "nobody"}, "organisation_unknown", id="unknown organisation"),
    pytest.param({"event_id": None}, "event_id_missing", id="no id"),
    pytest.param({"event_id": ""}, "event_id_missing", id="empty id"),
    pytest.param({"event_id": "x" * 65}, "event_id_wrong", id="long id"),
    pytest.param({"event_id": " a"}, "event_id_wrong", id="blank before the id"),
    pytest.param({"event_id": "a\tb"}, "event_id_wrong", id="tab in the id"),
    pytest.param({"event_id": "あ"}, "event_id_wrong", id="id beyond ASCII"),
    pytest.param({"meter": None}, "meter_missing", id="no meter"),
    pytest.param({"meter": "nothing"}, "meter_unknown", id="unknown meter"),
    pytest.param({"occurred_at": None}, "occurred_at_missing", id="no time"),
    pytest.param({"occurred_at": "2026-11-20T10:00:00"}, "occurred_at_without_zone", id="no zone"),
    pytest.param({"occurred_at": "now"}, "occurred_at_wrong", id="now"),
    pytest.param({"occurred_at": "infinity"}, "occurred_at_wrong", id="an infinite time"),
    pytest.param({"occurred_at": "2026-11-20"}, "occurred_at_wrong", id="a day"),
    pytest.param({"occurred_at": "2026-02-29T10:00:00Z"}, "occurred_at_wrong", id="no such day"),
    pytest.param({"occurred_at": "2026-13-01T10:00:00Z"}, "occurred_at_wrong", id="no such month"),
    pytest.param({"occurred_at": "2026-11-20T24:00:00Z"}, "occurred_at_wrong", id="24 o'clock"),
    pytest.param({"occurred_at": "2026-11-20T10:00:60Z"}, "occurred_at_wrong", id="second 60"),
    pytest.param({"occurred_at": "2026-11-2/T10:00:00Z"}, "occurred_at_wrong", id="almost a day"),
    pytest.param(
        {"occurred_at": "2026-11-20T10:00:00.1234567Z"}, "occurred_at_wrong", id="nanoseconds"
    ),
    pytest.param({"occurred_at": "2026-11-20T10:00:00+25:00"}, "occurred_at_wrong", id="zone +25"),
    pytest.param({"occurred_at": "2026-11-23T05:00:00.000001Z"}, "occurred_at_ahead", id="ahead"),
    pytest.param({"occurred_at": "2028-11-22T05:00:00Z"}, "occurred_at_ahead", id="2 years ahead"),
    pytest.param(
        {"occurred_at": "2025-12-31T14:59:59Z"}, "occurred_at_before_customer", id="too early"
    ),
    pytest.param({"quantity": None}, "quantity_missing", id="no quantity"),
    pytest.param({"quantity": ""}, "quantity_missing", id="empty quantity"),
    pytest.param({"quantity": "NaN"}, "quantity_wrong", id="NaN"),
    pytest.param({"quantity": "Infinity"}, "quantity_wrong", id="infinity"),
    pytest.param({"quantity": "1,5"}, "quantity_wrong", id="comma"),
    pytest.param({"quantity": "true"}, "quantity_wrong", id="boolean"),
    pytest.param({"quantity": "0x1F"}, "quantity_wrong", id="hexadecimal"),
    pytest.param({"quantity": "1_000"}, "quantity_wrong", id="underscore"),
    pytest.param({"quantity": " 5"}, "quantity_wrong", id="blank"),
    pytest.param({"quantity": "5."}, "quantity_wrong", id="point at the end"),
    pytest.param({"quantity": "１"}, "quantity_wrong", id="full-width digit"),
    pytest.param({"quantity": "1e30"}, "quantity_too_large", id="10^30"),
    pytest.param({"quantity": "1000000000000000"}, "quantity_too_large", id="16 digits"),
    pytest.param({"quantity": "9" * 70}, "quantity_too_large", id="70 digits"),
    pytest.param({"quantity": "0.0000000000000001"}, "quantity_too_fine", id="16 decimals"),
    pytest.param({"meter": "devices", "quantity": "-1"}, "quantity_negative", id="negative gauge"),
    pytest.param({"corrects": "b"}, "corrects_a_sum", id="correction of a sum"),
    pytest.param({"meter": "devices", "corrects": " "}, "corrects_wrong", id="corrects a blank"),
    pytest.param({"meter": "devices", "corrects": "b"}, "corrects_unknown", id="corrects nothing"),
]


@pytest.mark.parametrize(("changed", "code"), WRONG)
@pytest.mark.usefixtures("_aoba")
def test_ingest_rejects_a_bad_row_and_keeps_the_good_ones(
    changed: dict[str, str | None], code: str
) -> None:
    report = take(
        row(1, event_id="good", quantity="2"),
        with_fields(row(2, event_id="bad"), changed),
        row(3, event_id="too"),
    )

    assert (report.accepted, report.duplicates, report.conflicts) == (2, 0, [])
    assert [(refused.row, refused.code) for refused in report.rejected] == [(2, code)]
    assert only_day() == (date(2026, 11, 20), Decimal(3), 2)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("999999999999999.999999999999999", "999999999999999.999999999999999"),
        ("1e-15", "0.000000000000001"),
        ("+2.5", "2.5"),
        ("0.1000000000000000000", "0.1"),
        ("-7", "-7"),
    ],
)
@pytest.mark.usefixtures("_aoba")
def test_ingest_keeps_every_decimal(written: str, stored: str) -> None:
    take(row(quantity=written))

    assert UsageEvent.objects.get().quantity == Decimal(stored)


@pytest.mark.usefixtures("_aoba")
def test_ingest_says_what_is_wrong_in_words() -> None:
    report = take(row(3, occurred_at="2026-11-20T10:00:00"), row(4, quantity="1,5", event_id="b"))

    assert report.rejected == [
        Refused(
            3,
            "occurred_at_without_zone",
            "The time '2026-11-20T10:00:00' has no zone: end it with Z or with +09:00.",
        ),
        Refused(4, "quantity_wrong", "The quantity '1,5' is not a decimal number like -12.5."),
    ]


@pytest.mark.usefixtures("_aoba")
def test_ingest_rejects_what_is_older_than_the_window() -> None:
    window = Window(
        latest=datetime(2026, 11, 23, tzinfo=UTC), oldest=datetime(2026, 11, 1, tzinfo=UTC)
    )

    report = take(
        row(1, event_id="a", occurred_at="2026-10-31T23:59:59.999999Z"),
        row(2, event_id="b", occurred_at="2026-11-01T00:00:00Z"),
        window=window,
    )

    assert report.accepted == 1
    assert [refused.code for refused in report.rejected] == ["occurred_at_too_old"]


@pytest.mark.usefixtures("_aoba")
def test_ingest_rejects_what_happened_after_the_organisation_left() -> None:
    organisation = make.organisation(reference="left")
    organisation.closed_on = date(2026, 11, 1)
    organisation.save()

    report = take(
        row(1, organisation="left", event_id="a", occurred_at="2026-10-31T14:59:59Z"),
        row(2, organisation="left", event_id="b", occurred_at="2026-10-31T15:00:00Z"),
    )

    assert report.accepted == 1
    assert [refused.code for refused in report.rejected] == ["occurred_at_after_end"]


@pytest.mark.usefixtures("_aoba")
def test_ingest_for_one_organisation_takes_no_other() -> None:
    organisation = make.organisation(reference="bound")

    report = take(
        row(1, organisation=None, event_id="a"),
        row(2, organisation="bound", event_id="b"),
        row(3, organisation="aoba", event_id="c"),
        only=organisation.pk,
    )

    assert (report.accepted, [refused.code for refused in report.rejected]) == (
        2,
        ["organisation_not_yours"],
    )
    assert set(UsageEvent.objects.values_list("organisation_id", flat=True)) == {organisation.pk}


@pytest.mark.usefixtures("_aoba")
def test_a_gauge_takes_its_highest_event() -> None:
    take(row(1, meter="devices", event_id="a", quantity="10"))
    take(row(1, meter="devices", event_id="b", quantity="12"))
    take(row(1, meter="devices", event_id="c", quantity="11"))

    assert only_day() == (date(2026, 11, 20), Decimal(12), 3)


@pytest.mark.usefixtures("_aoba")
def test_a_last_meter_takes_its_latest_event_then_the_highest_event_id() -> None:
    take(row(1, meter="storage", event_id="a", quantity="10"))
    take(row(1, meter="storage", event_id="b", quantity="7"))
    take(
        row(1, meter="storage", event_id="B", quantity="9"),
        row(
            2, meter="storage", event_id="z", quantity="8", occurred_at="2026-11-20T09:59:59+09:00"
        ),
    )

    assert only_day() == (date(2026, 11, 20), Decimal(7), 4)


@pytest.mark.parametrize("meter", ["devices", "storage"])
@pytest.mark.usefixtures("_aoba")
def test_a_correction_replaces_the_event_it_names(meter: str) -> None:
    take(row(1, meter=meter, event_id="a", quantity="10"), row(2, meter=meter, event_id="Z"))

    report = take(
        row(1, meter=meter, event_id="a2", quantity="4", corrects="a"),
        row(2, meter=meter, event_id="a3", quantity="3", corrects="a2"),
    )

    assert report == Report(2, 0, [], [])
    assert only_day() == (date(2026, 11, 20), Decimal(3), 4)
    assert books.days() == books.days_from_events()


@pytest.mark.usefixtures("_aoba")
def test_a_correction_holds_once() -> None:
    take(row(1, meter="devices", event_id="a", quantity="10"))
    first = row(1, meter="devices", event_id="a2", quantity="4", corrects="a")

    report = take(
        first,
        row(2, meter="devices", event_id="a3", quantity="3", corrects="a"),
        row(3, meter="storage", event_id="s", quantity="3", corrects="a"),
        row(4, meter="devices", event_id="c1", quantity="3", corrects="c2"),
        row(5, meter="devices", event_id="c2", quantity="3", corrects="c1"),
    )
    later = take(first, row(2, meter="devices", event_id="a4", quantity="2", corrects="a"))

    taken = "The event to correct was corrected before, by 'a2'."
    assert report.accepted == 1
    assert report.conflicts == [Refused(2, "corrected_before", taken)]
    assert [(one.row, one.code) for one in report.rejected] == [
        (3, "corrects_unknown"),
        (4, "corrects_unknown"),
        (5, "corrects_unknown"),
    ]
    assert later == Report(0, 1, [Refused(2, "corrected_before", taken)], [])
    assert only_day() == (date(2026, 11, 20), Decimal(4), 2)


@pytest.mark.usefixtures("_aoba")
def test_events_of_a_month_that_is_over_raise_its_revision_once_a_batch() -> None:
    last_instant = row(event_id="a", occurred_at="2026-10-31T14:59:59.999999Z")
    next_month = row(event_id="b", occurred_at="2026-10-31T15:00:00Z")
    over = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)
    window = Window(latest=over)

    take(last_instant, now=datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), window=window)
    assert not UsageRevision.objects.exists()

    take(last_instant, next_month, now=over, window=window)
    assert not UsageRevision.objects.exists()  # a duplicate changes no month

    take(
        last_instant._replace(event_id="c"),
        last_instant._replace(event_id="d"),
        last_instant._replace(event_id="e", occurred_at="2026-09-10T00:00:00Z"),
        now=over,
        window=window,
    )
    take(last_instant._replace(event_id="f"), now=over, window=window)

    assert list(UsageRevision.objects.order_by("month").values_list("month", "revision")) == [
        (date(2026, 9, 1), 1),
        (date(2026, 10, 1), 2),
    ]


def test_a_batch_has_an_end() -> None:
    with pytest.raises(TooManyEvents):
        batches.of_rows([row()] * 10_001)


@pytest.mark.usefixtures("_aoba")
def test_an_empty_batch_is_nothing() -> None:
    assert take() == Report(0, 0, [], [])


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_the_day_is_that_of_the_vendors_zone(zone: str) -> None:
    make.vendor(time_zone=zone)
    make.organisation(reference="aoba")
    make.meter("api_calls")
    instants = {
        "Europe/Berlin": ["2026-10-24T22:00:00Z", "2026-10-25T22:59:59.999999Z"],  # 25 hours
        "Pacific/Kiritimati": ["2026-10-24T10:00:00Z", "2026-10-25T09:59:59.999999Z"],
        "Etc/GMT+12": ["2026-10-25T12:00:00Z", "2026-10-26T11:59:59.999999Z"],
    }[zone]

    take(*(row(number, event_id=str(number), occurred_at=at) for number, at in enumerate(instants)))

    assert only_day() == (date(2026, 10, 25), Decimal(2), 2)


METERS = ("api_calls", "devices", "storage")
_events = st.builds(
    row,
    organisation=st.sampled_from(["aoba", "hinode"]),
    event_id=st.sampled_from(["a", "B", "c", "d1", "e-9"]),
    meter=st.sampled_from(METERS),
    occurred_at=st.sampled_from(
        ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00+09:00", "2026-10-31T15:00:00Z"]
    ),
    quantity=st.decimals(-5, 5, places=15).map(str),
    corrects=st.none() | st.sampled_from(["a", "B", "c", "d1", "e-9", "x"]),
)


class DaysEqualTheirEvents(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(given_rows=st.lists(_events, max_size=12), cut=st.integers(0, 12), again=st.booleans())
    def test_days_equal_their_events_however_they_come(
        self, given_rows: list[Row], cut: int, again: bool
    ) -> None:
        make.vendor()
        make.organisation(reference="aoba")
        make.organisation(reference="hinode")
        for code, aggregation in zip(METERS, Aggregation, strict=True):
            make.meter(code, aggregation=aggregation)
        rows = [one._replace(number=number) for number, one in enumerate(given_rows, 1)]

        reports = [take(*rows[:cut]), take(*rows[cut:])]
        if again:
            reports.append(take(*rows))

        assert books.days() == books.days_from_events()
        assert UsageEvent.objects.count() == sum(report.accepted for report in reports)
        counted = sum(
            report.accepted + report.duplicates + len(report.conflicts) + len(report.rejected)
            for report in reports
        )
        assert counted == len(rows) * (2 if again else 1)

    @settings(max_examples=30, deadline=None)
    @given(
        rows=st.lists(_events, max_size=10, unique_by=lambda one: (one.organisation, one.event_id)),
        data=st.data(),
    )
    def test_order_and_batches_do_not_matter(self, rows: list[Row], data: st.DataObject) -> None:
        make.vendor()
        make.organisation(reference="aoba")
        make.organisation(reference="hinode")
        for code, aggregation in zip(METERS, Aggregation, strict=True):
            make.meter(code, aggregation=aggregation)
        plain = [one._replace(corrects=None) for one in rows]
        take(*plain)
        expected = books.days()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM usage_event; DELETE FROM usage_dailyusage")

        for one in data.draw(st.permutations(plain)):
            take(one)

        assert books.days() == expected


def in_two_threads(first: Sequence[Row], second: Sequence[Row]) -> list[Report]:
    reports: list[Report] = []
    start = threading.Barrier(2)

    def run(rows: Sequence[Row]) -> None:
        try:
            start.wait(10)
            reports.append(take(*rows))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[rows]) for rows in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return reports


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_aoba")
def test_two_senders_of_the_same_events_in_opposite_order_count_them_once() -> None:
    rows = [
        row(number, meter=METERS[number % 3], event_id=f"e{number:04}", quantity=str(number))
        for number in range(1500)
    ]

    reports = in_two_threads(rows, rows[::-1])

    assert sorted(report.accepted for report in reports) == [0, 1500]
    assert sum(report.duplicates for report in reports) == 1500
    assert UsageEvent.objects.count() == 1500
    assert books.days() == books.days_from_events()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_aoba")
def test_two_senders_to_the_same_days_in_opposite_order_both_count() -> None:
    for number in range(20):
        make.organisation(reference=f"o{number:02}")

    def rows(sender: str) -> list[Row]:
        return [
            row(
                number,
                organisation=f"o{number % 20:02}",
                meter=METERS[number % 3],
                event_id=f"{sender}{number}",
                quantity=str(number),
            )
            for number in range(600)
        ]

    reports = in_two_threads(rows("a"), rows("b")[::-1])

    assert [report.accepted for report in reports] == [600, 600]
    assert books.days() == books.days_from_events()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_aoba")
def test_two_corrections_of_the_same_events_hold_once_each() -> None:
    names = [f"e{number:03}" for number in range(100)]
    take(*(row(n, meter="devices", event_id=name, quantity="9") for n, name in enumerate(names)))

    def corrections(sender: str) -> list[Row]:
        return [
            row(n, meter="devices", event_id=f"{sender}{name}", quantity="3", corrects=name)
            for n, name in enumerate(names)
        ]

    reports = in_two_threads(corrections("a"), corrections("b")[::-1])

    assert sum(report.accepted for report in reports) == 100
    assert sum(len(report.conflicts) for report in reports) == 100
    assert books.days() == books.days_from_events()
