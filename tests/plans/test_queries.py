from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from plans import queries
from plans.enums import Aggregation, Category, TaxCategory
from plans.models import PlanPrice
from plans.queries import catalogue
from plans.rules import Meter, MeterTerms, PlanTerms, Tier
from tests import make

pytestmark = pytest.mark.django_db


def test_vendor_is_the_newest_and_its_absence_says_what_to_do() -> None:
    with pytest.raises(queries.NoVendor, match=r"manage\.py apply_catalogue FILE"):
        queries.vendor()
    make.vendor(number=1)
    newest = make.vendor(number=2, time_zone="Europe/Berlin")

    assert queries.vendor() == newest
    assert queries.vendor_zone().key == "Europe/Berlin"


def test_pages_spend_no_statement_and_see_a_new_catalogue_when_told_or_soon(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make.vendor(number=1)
    version = make.plan_version()
    make.selection(make.organisation(), version, make.NOW)
    assert queries.vendor_for_pages() == old
    queries.meters_for_pages()
    queries.terms_for_pages([version.pk], "JPY")
    new = make.vendor(number=2, time_zone="Europe/Berlin")

    with django_assert_num_queries(0):
        assert queries.vendor_for_pages() == old
        assert queries.zone_for_pages().key == "Asia/Tokyo"
        queries.meters_for_pages()
        queries.terms_for_pages([version.pk], "JPY")
    monkeypatch.setattr(catalogue, "STALE_AFTER", 0.0)
    assert queries.vendor_for_pages() == new
    monkeypatch.undo()
    newest = make.vendor(number=3)
    assert queries.vendor_for_pages() == new
    queries.forget()
    assert queries.vendor_for_pages() == newest


def test_pages_do_not_remember_what_may_still_change() -> None:
    version = make.plan_version()
    before = queries.terms_for_pages([version.pk], "JPY")[version.pk].net
    PlanPrice.objects.filter(version=version, currency="JPY").update(net=6_000)

    after = queries.terms_for_pages([version.pk], "JPY")[version.pk].net

    assert (before, after) == (5_000, 6_000)


def test_terms_hold_prices_and_meters_in_the_catalogues_order(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    version = make.plan_version("starter", number=2)
    support = make.plan_version("help", category=Category.SUPPORT, prices={"JPY": 700})
    only_dollars = make.plan_version("abroad", prices={"USD": 900})
    calls = make.meter("api_calls", position=2)
    devices = make.meter("devices", aggregation=Aggregation.MAX, position=1)
    make.meter("unpriced", position=3)
    tiers = [("10000", "0.01"), (None, "0.004")]
    make.meter_price(version, calls, included=100_000, tiers=tiers)
    make.meter_price(version, calls, currency="USD", included=1)
    make.meter_price(version, devices, included=5)

    with django_assert_num_queries(2):
        found = queries.terms([version.pk, support.pk, only_dollars.pk], "JPY")

    assert found == {
        version.pk: PlanTerms(
            version_id=version.pk,
            version_number=2,
            category=Category.LICENCE,
            plan_code="starter",
            name_ja="starterプラン",
            name_en="Starter",
            currency="JPY",
            net=5_000,
            accounts_per_step=100,
            is_free=False,
            tax_category=TaxCategory.STANDARD,
            meters=(
                MeterTerms(meter_value(devices.pk, "devices"), Decimal(5), ()),
                MeterTerms(
                    meter_value(calls.pk, "api_calls"),
                    Decimal(100_000),
                    (Tier(Decimal(10_000), Decimal("0.01")), Tier(None, Decimal("0.004"))),
                ),
            ),
        ),
        support.pk: PlanTerms(
            version_id=support.pk,
            version_number=1,
            category=Category.SUPPORT,
            plan_code="help",
            name_ja="helpプラン",
            name_en="Help",
            currency="JPY",
            net=700,
            accounts_per_step=None,
            is_free=False,
            tax_category=TaxCategory.STANDARD,
            meters=(),
        ),
    }


def meter_value(meter_id: int, code: str) -> Meter:
    return next(meter for meter in queries.meters() if (meter.id, meter.code) == (meter_id, code))
