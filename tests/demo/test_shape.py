from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from core.months import add_months
from demo.rules import seasons, shape, teams
from demo.rules.customers import CUSTOMERS, LAST, LATE_EVENTS, Customer
from demo.rules.shape import Event

TOKYO = ZoneInfo("Asia/Tokyo")
MINATO = next(customer for customer in CUSTOMERS if customer.reference == "minato-logistics")
MOMIJI = next(customer for customer in CUSTOMERS if customer.reference == "momiji-facilities")


def events(customer: Customer, day: date, *, month: int = 0, seed: int = 1) -> list[Event]:
    return list(shape.day_of(customer, day, month=month, seed=seed, calls=3, zone=TOKYO))


def calls(customer: Customer, day: date, *, month: int = 0) -> Decimal:
    return sum(
        (
            event.quantity
            for event in events(customer, day, month=month)
            if event.meter == "api_calls"
        ),
        Decimal(0),
    )


def test_one_seed_gives_the_same_events_and_another_gives_others() -> None:
    day = date(2026, 5, 13)

    assert events(MINATO, day) == events(MINATO, day)
    assert events(MINATO, day) != events(MINATO, day, seed=2)


def test_events_lie_in_their_day_and_have_ids_of_their_own() -> None:
    found = events(MINATO, date(2026, 5, 13))

    assert {event.occurred_at.astimezone(TOKYO).date() for event in found} == {date(2026, 5, 13)}
    assert len({event.event_id for event in found}) == len(found)
    assert all(event.quantity >= 0 for event in found)


def test_weekends_are_quieter_use_grows_and_spikes() -> None:
    wednesday, sunday = date(2026, 5, 13), date(2026, 5, 17)

    assert calls(MINATO, sunday) < calls(MINATO, wednesday) // 2
    assert calls(MINATO, wednesday, month=LAST) > calls(MINATO, wednesday)
    assert calls(MOMIJI, wednesday, month=9) > 3 * calls(MOMIJI, wednesday, month=8)


def test_the_stories_hold_together() -> None:
    references = [customer.reference for customer in CUSTOMERS]

    assert len(set(references)) == len(references)
    assert {late.reference for late in LATE_EVENTS} <= set(references)
    for customer in CUSTOMERS:
        assert [person[0].value for person in customer.people][:3] == ["root", "manager", "member"]
        assert customer.choices[0] == min(
            customer.choices, key=lambda choice: (choice.month, choice.day, choice.hour)
        )


def test_colleagues_are_the_same_for_a_seed_and_nobody_twice() -> None:
    for customer in CUSTOMERS:
        those = list(teams.colleagues(customer, 30, seed=1))

        assert those == list(teams.colleagues(customer, 30, seed=1))
        assert those != list(teams.colleagues(customer, 30, seed=2))
        assert len(
            {each.local for each, *_ in those} | {each[2] for each in customer.people}
        ) == 30 + len(customer.people)
        assert all(customer.choices[0].month <= month <= LAST for _, month, _ in those)


def test_helpers_come_in_the_first_order_and_are_none_of_the_regulars() -> None:
    for customer in CUSTOMERS:
        season = seasons.season(customer)
        if season is None or not season.helpers:
            continue
        today = date(2026, 11, 22)
        regulars = teams.colleagues(customer, season.regulars, seed=1)
        late = list(seasons.helpers(customer, season, today=today, team=seasons.TEAM, seed=1))

        assert len(late) == season.helpers
        assert {each.local for each, _ in late}.isdisjoint(each.local for each, *_ in regulars)
        first_on = season.orders[0].first_on(today)
        assert {on for _, on in late} <= {first_on + timedelta(days=day) for day in range(1, 20)}


def test_the_orders_of_a_season_lie_around_any_day() -> None:
    for day in range(1_500):
        today = date(2026, 1, 1) + timedelta(days=day)
        running, coming = (each.first_on(today) for each in seasons.SEASONS[0].orders)
        (ended,) = (each.first_on(today) for each in seasons.SEASONS[1].orders)

        assert today + timedelta(days=3) <= add_months(running, 2) <= today + timedelta(days=6)
        assert coming == today + timedelta(days=3) <= add_months(running, 2)
        assert today - timedelta(days=12) <= add_months(ended, 1) <= today - timedelta(days=9)
