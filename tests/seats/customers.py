"""Customers with a licence, spot contracts and accounts, at days of the year 2026 in Tokyo."""

from datetime import date, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from core.months import add_months, start_of_day
from plans.models import MainContract, PlanVersion
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from tests import make

TOKYO = ZoneInfo("Asia/Tokyo")
BEGAN = date(2026, 1, 1)


def at(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    """Return an instant by the clock of the vendor's zone."""
    return datetime.combine(date(year, month, day), time(hour, minute), TOKYO)


def catalogue(*, accounts_per_step: int = 10, free: int = 3) -> PlanVersion:
    """A vendor with a free plan and one that costs; return the latter."""
    make.vendor()
    make.free_plan(accounts_per_step=free)
    return make.plan_version("starter", accounts_per_step=accounts_per_step)


def customer(
    version: PlanVersion, *, steps: int = 1, months: int = 12, first_on: date = BEGAN
) -> Membership:
    """A customer with a main contract; return its root, registered at the start."""
    organisation = make.organisation(now=start_of_day(first_on, TOKYO))
    root = make.member(organisation, now=start_of_day(first_on, TOKYO))
    main(organisation, version, first_on, steps=steps, months=months)
    return root


def main(
    organisation: Organisation,
    version: PlanVersion,
    first_on: date,
    *,
    steps: int = 1,
    months: int = 12,
) -> MainContract:
    return make.main_contract(organisation, version, first_on, steps=steps, months=months)


def spot(
    organisation: Organisation,
    accounts: int,
    first_on: date,
    months: int = 1,
    *,
    paid_at: datetime | None = None,
) -> SpotOrder:
    """A paid spot order: placed and paid the evening before its first day, unless told otherwise."""
    paid = paid_at or start_of_day(first_on, TOKYO) - timedelta(hours=6)
    placed_by = organisation.memberships.get(role=Role.ROOT).user
    return SpotOrder.objects.create(
        organisation=organisation,
        number=f"SP-{uuid4()}",
        accounts=accounts,
        first_on=first_on,
        months=months,
        end_on=add_months(first_on, months),
        currency="JPY",
        priced=[],
        net=5_000,
        tax=500,
        gross=5_500,
        tax_code="JP10",
        tax_rounding="down",
        state=SpotState.PAID,
        operation=uuid4(),
        digest=bytes(32),
        placed_at=paid,
        placed_by=placed_by,
        lapses_at=paid + timedelta(hours=24),
        paid_at=paid,
    )


def people(organisation: Organisation, count: int, since: datetime) -> list[Membership]:
    """Accounts of people, registered a minute apart, past the services and their limits."""
    instants = [since + timedelta(minutes=number) for number in range(count)]
    users = User.objects.bulk_create(
        User(email=f"{uuid4()}@example.com", name="Taro", registered_at=instant)
        for instant in instants
    )
    return Membership.objects.bulk_create(
        Membership(organisation=organisation, user=user, role=Role.MEMBER, registered_at=instant)
        for user, instant in zip(users, instants, strict=True)
    )


def active(organisation: Organisation) -> set[int]:
    """Return who is active."""
    return set(
        Membership.objects.filter(organisation=organisation, deactivated_at=None).values_list(
            "pk", flat=True
        )
    )
