import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from pytest_django import Settings

from accounts.models import Membership, Organisation, User
from accounts.queries import accounts_in_use
from billing.enums import LineKind, MonthOutcome
from billing.models import BilledMonth, Invoice, InvoiceLine
from cancellation.models import Cancellation
from core import books, clock
from core.models import Mail, Work
from core.months import BillingMonth
from demo.rules import shape
from demo.rules.customers import CUSTOMERS
from gateway_sandbox import Sandbox
from payments.enums import ChargeState, MethodState, PayableState
from payments.models import Charge, Payable
from payments.services import reconcile
from plans.models import MainContract, VendorVersion
from seats.models import Deactivation, GroupMember
from seats.queries import leaving
from seats.services import warnings
from spot_orders.models import SpotOrder
from tests import make
from tests.payments.conftest import sandbox
from usage.models import DailyUsage, UsageEvent

__all__ = ["sandbox"]

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
SMALL = ["--months=3", "--large-events=300", "--team=2"]


def demo_data(*arguments: str) -> str:
    said = StringIO()
    with clock.fixed_at(NOW):
        call_command("demo_data", *arguments, stdout=said)
    return said.getvalue()


def sign_ins(said: str) -> list[list[str]]:
    """Return role, e-mail address and password of each line that tells a sign-in."""
    roles = {"staff", "root", "manager", "member"}
    return [
        line.split()[:3]
        for line in said.splitlines()
        if line.split()[:1] and line.split()[0] in roles
    ]


def test_demo_data_fill_an_empty_portal_with_sound_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "signins.txt"
    monkeypatch.setenv("DEMO_SIGNINS_FILE", str(file))

    said = demo_data("--if-empty", "--months=4", "--large-events=400", "--team=2")

    assert Organisation.objects.count() == len(CUSTOMERS) == 14
    assert set(Organisation.objects.values_list("country", flat=True)) == {"JP", "US", "DE"}
    assert set(Invoice.objects.values_list("currency", flat=True)) == {"JPY", "USD"}
    assert set(BilledMonth.objects.values_list("outcome", flat=True)) == set(MonthOutcome)
    assert set(InvoiceLine.objects.values_list("kind", flat=True)) == {
        LineKind.FEE,
        LineKind.USAGE,
        LineKind.ADJUSTMENT,
    }
    newest = Organisation.objects.order_by("-customer_since")[0]
    assert (newest.reference, str(newest.customer_since)) == ("hoshizora-drone", "2026-11-01")
    assert DailyUsage.objects.filter(organisation=newest).exists()
    assert not UsageEvent.objects.filter(occurred_at__gt=NOW).exists()
    assert not Work.objects.filter(due_at__lt=NOW).exists()
    terms = MainContract.objects.filter(end_on__gt=NOW)
    assert set(terms.values_list("months", "renews")) == {
        (1, False),
        (1, True),
        (12, False),
        (12, True),
    }
    assert terms.filter(months_before__gt=0).exists()
    assert books.breaches(since=None, now=NOW) == []
    told = sign_ins(file.read_text(encoding="utf-8"))
    assert len(told) == sum(len(customer.people) for customer in CUSTOMERS) + 1
    assert len(told) < Membership.objects.count() <= len(told) + 3 * len(CUSTOMERS)
    assert GroupMember.objects.exists()
    assert file.stat().st_mode & 0o777 == 0o600
    assert sign_ins(said) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for role, email, password in told[:2]:
        user = User.objects.get(email=email)
        assert user.check_password(password)
        assert user.is_staff is (role == "staff")

    assert demo_data("--if-empty") == "There are organisations already: no demo data made.\n"
    with pytest.raises(CommandError, match="only in an empty portal"):
        demo_data()


def test_demo_customers_pay_at_the_sandbox(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_SIGNINS_FILE", str(tmp_path / "signins.txt"))

    demo_data(*SMALL)

    how = {
        (organisation.reference, method.gateway)
        for organisation in Organisation.objects.all()
        for method in organisation.payment_methods.filter(state=MethodState.ACTIVE)
    }
    assert ("aoba-sensing", "paypal") in how
    assert ("minato-logistics", "paid") in how
    assert not {reference for reference, _ in how} & {"hinode-farm", "hoshizora-drone"}
    overdue = Payable.objects.filter(overdue_at__isnull=False)
    assert set(overdue.values_list("organisation__reference", flat=True)) == {"momiji-facilities"}
    taken = Charge.objects.filter(state=ChargeState.SUCCEEDED)
    assert taken.count() == Payable.objects.filter(state=PayableState.PAID, gross__gt=0).count() > 0
    by_paypal = taken.filter(gateway="paypal", currency="JPY").aggregate(sum=Sum("amount"))["sum"]
    assert sandbox.ledger.taken("JPY") == by_paypal
    assert [str(breach) for breach in books.breaches(now=NOW)] == []
    assert Mail.objects.filter(created_at__lt=NOW - timedelta(days=14)).count() == 0

    window = reconcile.default_window("paypal", NOW)
    run = reconcile.reconcile(slug="paypal", since=window.since, until=window.until, now=NOW).run
    assert (run.different, run.matched) == (0, taken.filter(gateway="paypal").count())


def test_demo_customers_need_more_accounts_for_some_weeks(sandbox: Sandbox) -> None:
    demo_data("--months=4", "--large-events=300", "--team=20")

    orders = {
        (order.organisation.reference, order.state, str(order.first_on), str(order.end_on))
        for order in SpotOrder.objects.select_related("organisation")
    }
    assert orders == {
        ("tsumugi-events", "paid", "2026-09-28", "2026-11-28"),
        ("tsumugi-events", "paid", "2026-11-25", "2027-01-25"),
        ("tanpopo-care", "paid", "2026-10-13", "2026-11-13"),
        ("aoba-sensing", "placed", "2026-11-26", "2027-01-26"),
    }
    runs, waits = (
        Organisation.objects.get(reference=each) for each in ("tsumugi-events", "aoba-sensing")
    )
    outlook = leaving.outlook(runs, now=NOW)
    assert [str(each.at.astimezone(TOKYO).date()) for each in outlook.expected][:1] == [
        "2026-11-28"
    ]
    assert 0 < outlook.expected[0].count < 20
    assert runs.memberships.filter(is_protected=True).count() == 3
    assert runs.memberships.filter(leave_order=1).count() == 1
    given = warnings.give(organisation_ids=[runs.pk, waits.pk], now=NOW)
    assert [(each.organisation, str(each.on), each.stage) for each in given][:1] == [
        (runs, "2026-11-28", 7)
    ]
    (ended,) = Deactivation.objects.all()
    assert (ended.organisation.reference, ended.cause) == ("tanpopo-care", "spot_end")
    assert str(ended.at.astimezone(TOKYO)) == "2026-11-13 00:02:00+09:00"
    assert ended.count == Membership.objects.filter(deactivation_id=ended.pk).count() > 0
    assert accounts_in_use(ended.organisation_id) == 19
    payable = Payable.objects.get(spot_order__organisation=waits)
    assert (payable.state, payable.captured) == (PayableState.OPEN, 0)
    assert [str(breach) for breach in books.breaches(now=NOW)] == []


@pytest.mark.parametrize("today", ["2026-11-01", "2028-02-29"])
def test_a_demo_customer_has_cancelled_on_whatever_day(today: str, sandbox: Sandbox) -> None:
    now = datetime.fromisoformat(f"{today}T00:10+09:00")
    with clock.fixed_at(now):
        call_command("demo_data", *SMALL, stdout=StringIO())

    (cancelled,) = Cancellation.objects.all()
    assert cancelled.organisation.reference == "yamabiko-audio"
    assert cancelled.end_on == BillingMonth.containing(now, TOKYO).next.first_day
    assert cancelled.ordered_at <= now
    assert Work.objects.filter(kind="cancellation.make_receipt").count() == 1
    assert SpotOrder.objects.filter(state="paid", ended_at=None).count() == 2
    assert SpotOrder.objects.filter(state="placed").count() == 1
    assert [str(breach) for breach in books.breaches(now=now)] == []


def test_demo_data_are_the_same_for_one_seed() -> None:
    first = sign_ins(demo_data(*SMALL, "--seed=7"))

    assert first[0][2] == shape.password(7, first[0][1])
    assert first[0][2] != shape.password(8, first[0][1])


def test_demo_data_are_refused_in_production(settings: Settings) -> None:
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="never made in production"):
        demo_data()

    assert not VendorVersion.objects.exists()


def test_demo_data_are_refused_beside_other_customers() -> None:
    make.organisation()

    with pytest.raises(CommandError, match="only in an empty portal"):
        demo_data(*SMALL)

    assert not VendorVersion.objects.exists()


def test_demo_data_need_three_months() -> None:
    with pytest.raises(CommandError, match="at least 3 months"):
        demo_data("--months=2")

    assert not VendorVersion.objects.exists()
