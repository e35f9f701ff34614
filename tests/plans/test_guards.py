import threading
from collections.abc import Callable
from datetime import date

import pytest
from django.db import IntegrityError, connection, connections, transaction

from plans import services
from plans.enums import Aggregation
from plans.models import (
    CancellationTerms,
    Meter,
    MeterPrice,
    Plan,
    PlanPrice,
    PlanVersion,
    Selection,
    TermsOfUse,
    VendorVersion,
)
from tests import make


def alter_price() -> None:
    PlanPrice.objects.filter(currency="JPY").update(net=1)


def add_price() -> None:
    PlanPrice.objects.create(version=PlanVersion.objects.get(), currency="EUR", net=1)


def drop_price() -> None:
    PlanPrice.objects.filter(currency="JPY").delete()


def move_price() -> None:
    """Move a price in from a version that is not in use."""
    other = PlanVersion.objects.create(
        plan=Plan.objects.get(), number=9, on_sale_from=date(2026, 1, 1), accounts_per_step=1
    )
    price = PlanPrice.objects.create(version=other, currency="EUR", net=1)
    PlanPrice.objects.filter(pk=price.pk).update(version=PlanVersion.objects.get(number=1))


def empty_prices() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE plans_planprice")


def empty_meter_prices() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE plans_meterprice")


def alter_meter_price() -> None:
    MeterPrice.objects.update(tiers=[[None, "1"]])


def add_meter_price() -> None:
    make.meter_price(PlanVersion.objects.get(), Meter.objects.get(), currency="USD")


def drop_meter_price() -> None:
    MeterPrice.objects.all().delete()


def alter_step() -> None:
    PlanVersion.objects.update(accounts_per_step=None)


def alter_start_of_sale() -> None:
    PlanVersion.objects.update(on_sale_from=date(2026, 1, 1))


def make_free() -> None:
    Plan.objects.update(is_free=True)


def alter_aggregation() -> None:
    Meter.objects.update(aggregation=Aggregation.MAX)


def alter_code() -> None:
    Meter.objects.update(code="other")


def alter_vendor() -> None:
    VendorVersion.objects.update(name_en="Other")


def drop_vendor() -> None:
    VendorVersion.objects.all().delete()


def alter_terms() -> None:
    TermsOfUse.objects.update(text_en="Other")


def alter_cancellation_terms() -> None:
    CancellationTerms.objects.update(boxes=[])


GUARDS = [
    ("plan_price_in_use", "plans_planprice", alter_price),
    ("plan_price_in_use", "plans_planprice", add_price),
    ("plan_price_in_use", "plans_planprice", drop_price),
    ("plan_price_in_use", "plans_planprice", move_price),
    ("plan_price_stays", "plans_planprice", empty_prices),
    ("meter_price_in_use", "plans_meterprice", alter_meter_price),
    ("meter_price_in_use", "plans_meterprice", add_meter_price),
    ("meter_price_in_use", "plans_meterprice", drop_meter_price),
    ("meter_price_stays", "plans_meterprice", empty_meter_prices),
    ("plan_version_in_use", "plans_planversion", alter_step),
    ("plan_version_in_use", "plans_planversion", alter_start_of_sale),
    ("plan_in_use", "plans_plan", make_free),
    ("meter_is_fixed", "plans_meter", alter_aggregation),
    ("meter_is_fixed", "plans_meter", alter_code),
    ("vendor_version_is_fixed", "plans_vendorversion", alter_vendor),
    ("vendor_version_is_fixed", "plans_vendorversion", drop_vendor),
    ("terms_of_use_are_fixed", "plans_termsofuse", alter_terms),
    ("cancellation_terms_are_fixed", "plans_cancellationterms", alter_cancellation_terms),
]


def a_catalogue_in_use() -> None:
    make.vendor()
    TermsOfUse.objects.create(number=1, text_ja="規約", text_en="Terms", created_at=make.NOW)
    make.cancellation_terms()
    version = make.plan_version()
    make.meter_price(version, make.meter(), tiers=[(None, "0.01")])
    make.selection(make.organisation(), version, make.NOW)


@pytest.mark.django_db
@pytest.mark.parametrize(("trigger", "table", "change"), GUARDS)
def test_a_guard_refuses_and_is_needed(
    trigger: str, table: str, change: Callable[[], None]
) -> None:
    """Rule: B-02."""
    a_catalogue_in_use()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError), transaction.atomic():
        change()

    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER {trigger} ON {table}")

    change()


@pytest.mark.django_db
def test_the_sale_of_a_version_in_use_may_end_and_names_may_change() -> None:
    a_catalogue_in_use()

    PlanVersion.objects.update(on_sale_until=date(2027, 1, 1))
    Plan.objects.update(name_en="Starter plus")
    Meter.objects.update(name_en="Calls")

    assert PlanVersion.objects.get().on_sale_until == date(2027, 1, 1)


@pytest.mark.django_db
def test_a_version_that_nobody_selected_may_change() -> None:
    a_catalogue_in_use()
    Selection.objects.all().delete()

    alter_price()
    alter_meter_price()
    alter_step()

    assert PlanPrice.objects.get(currency="JPY").net == 1


@pytest.mark.django_db(transaction=True)
def test_a_first_selection_and_a_price_cannot_pass_each_other() -> None:
    """The price waits for the selection that is being made, and is then refused."""
    make.vendor()
    version = make.plan_version()
    organisation = make.organisation()
    refused: list[bool] = []

    def alter() -> None:
        try:
            alter_price()
            refused.append(False)
        except IntegrityError:
            refused.append(True)
        finally:
            connections.close_all()

    with transaction.atomic():
        services.select_plan(
            organisation_id=organisation.pk,
            version_id=version.pk,
            steps=1,
            from_at=make.NOW,
            actor=make.ACTOR,
            now=make.NOW,
        )
        other = threading.Thread(target=alter)
        other.start()
        while other.is_alive() and not somebody_waits():
            other.join(0.01)
    other.join(30)

    assert refused == [True]
    assert PlanPrice.objects.get(version=version, currency="JPY").net == 5_000


def somebody_waits() -> bool:
    """Return whether another connection waits for a lock of this one's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
            " AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])
