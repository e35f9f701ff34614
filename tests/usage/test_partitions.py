import threading
from datetime import date, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from core import work
from tests import make
from tests.usage.books import NOW, row, take
from usage.services import partitions
from usage.services.ingest import Report


def names() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'usage_event'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db
def test_a_day_gets_its_partition_once() -> None:
    day = date(2019, 2, 3)

    made = [partitions.create([day, day]), partitions.create([day])]

    assert made == [1, 0]
    assert "usage_event_20190203" in names()


@pytest.mark.django_db
def test_many_days_get_their_partitions() -> None:
    first = date(2018, 1, 1)

    assert partitions.create(first + timedelta(days=n) for n in range(70)) == 70


@pytest.mark.django_db
def test_the_planner_makes_the_days_to_come() -> None:
    make.vendor()
    now = datetime.fromisoformat("2031-01-31T15:00:00+00:00")  # February in Tokyo

    work.plan(now)

    assert {"usage_event_20310131", "usage_event_20310201", "usage_event_20310208"} <= names()
    assert "usage_event_20310209" not in names()


@pytest.mark.django_db(transaction=True)
def test_a_new_day_waits_for_no_one_who_stores_events() -> None:
    make.vendor()
    organisation = make.organisation(reference="aoba")
    make.meter("api_calls")
    take(row())
    database = connection.settings_dict
    with psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        password=database["PASSWORD"],
        dbname=database["NAME"],
    ) as other:
        other.execute(
            "INSERT INTO usage_event (organisation_id, occurred_at, day, meter_id, event_id, quantity)"
            " SELECT organisation_id, occurred_at, day, meter_id, 'other', 1 FROM usage_event"
        )
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")

        made = partitions.create([date(2017, 5, 6)])
        report = take(row(occurred_at="2026-11-19T10:00:00Z"))

        other.rollback()
    assert (made, report) == (1, Report(1, 0, [], []))
    assert organisation.pk
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE usage_event_20170506")


@pytest.mark.django_db(transaction=True)
def test_two_who_need_the_same_new_day_both_get_it() -> None:
    make.vendor()
    make.organisation(reference="aoba", customer_since=date(2016, 1, 1))
    make.meter("api_calls")
    days = [f"2016-03-{day:02}T10:00:00Z" for day in range(1, 29)]
    reports: list[Report] = []
    start = threading.Barrier(2)

    def send(sender: str, times: list[str]) -> None:
        try:
            start.wait(10)
            rows = [row(n, event_id=sender, occurred_at=at) for n, at in enumerate(times)]
            reports.append(take(*rows, now=NOW))
        finally:
            connection.close()

    threads = [
        threading.Thread(target=send, args=["a", days]),
        threading.Thread(target=send, args=["b", days[::-1]]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert reports == [Report(28, 0, [], []), Report(28, 0, [], [])]
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE usage_event")
        for at in days:
            name = partitions.name_of(date.fromisoformat(at[:10]))
            cursor.execute(f"DROP TABLE {name}")
