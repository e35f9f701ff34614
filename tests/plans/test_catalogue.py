from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from core import audit
from core.models import AuditEntry
from plans import queries, services
from plans.models import Meter, MeterPrice, Plan, PlanPrice, PlanVersion, VendorVersion
from plans.rules.catalogue import CatalogueRefused
from tests import make
from tests.plans.catalogues import METER, PLAN, WHOLE

pytestmark = pytest.mark.django_db


def apply(text: str) -> list[str]:
    """Apply a catalogue; return what changed."""
    outcome = services.apply_catalogue(text, actor=make.ACTOR, now=make.NOW)
    return [str(change.entry) for change in outcome.changes]


def select_starter() -> None:
    services.select_plan(
        organisation_id=make.organisation().pk,
        version_id=PlanVersion.objects.get(plan__code="starter", number=1).pk,
        steps=1,
        from_at=make.NOW,
        actor=make.ACTOR,
        now=make.NOW,
    )


def everything() -> list[object]:
    """Return every value of the catalogue, but for keys of rows that prices are replaced by."""
    return [
        list(VendorVersion.objects.order_by("pk").values()),
        list(Meter.objects.order_by("pk").values()),
        list(Plan.objects.order_by("pk").values()),
        list(PlanVersion.objects.order_by("pk").values()),
        list(
            PlanPrice.objects.order_by("version", "currency").values("version", "currency", "net")
        ),
        list(
            MeterPrice.objects.order_by("version", "meter", "currency").values(
                "version", "meter", "currency", "included", "tiers"
            )
        ),
        AuditEntry.objects.count(),
    ]


def refusals(text: str) -> list[tuple[int, str]]:
    """Return why a catalogue is refused; it has then changed nothing, neither planned nor applied."""
    before = everything()
    with pytest.raises(CatalogueRefused) as refused:
        apply(text)
    with pytest.raises(CatalogueRefused):
        services.plan_catalogue(text, now=make.NOW)
    assert everything() == before
    return [(problem.line, problem.reason) for problem in refused.value.problems]


def test_apply_stores_vendor_meters_plans_and_prices() -> None:
    changed = apply(WHOLE)

    assert changed == ["vendor", "meter api_calls", "plan starter", "plan starter version 1"]
    assert queries.vendor().name_en == "Shiosai"
    assert [meter.code for meter in queries.meters()] == ["api_calls"]
    version = PlanVersion.objects.get()
    terms = queries.terms([version.pk], "USD")[version.pk]
    assert (terms.net, terms.accounts_per_step) == (5_000, 100)
    stored = MeterPrice.objects.order_by("currency")
    assert [(price.currency, price.included, price.tiers) for price in stored] == [
        ("JPY", Decimal(100_000), [["10000", "0.01"], [None, "0.004"]]),
        ("USD", Decimal(100_000), [["10000", "0.01"], [None, "0.004"]]),
    ]


def test_apply_writes_an_audit_entry_for_each_change() -> None:
    apply(WHOLE)

    entries = AuditEntry.objects.filter(chain=audit.VENDOR_CHAIN).order_by("seq")
    assert [(entry.action, entry.subject, entry.actor) for entry in entries] == [
        ("catalogue.added", "vendor", make.ACTOR),
        ("catalogue.added", "meter api_calls", make.ACTOR),
        ("catalogue.added", "plan starter", make.ACTOR),
        ("catalogue.added", "plan starter version 1", make.ACTOR),
    ]


def test_apply_again_changes_nothing() -> None:
    apply(WHOLE)
    before = everything()

    assert apply(WHOLE) == []
    assert everything() == before


def test_plan_changes_nothing_and_shows_what_apply_does() -> None:
    apply(WHOLE)
    before = everything()
    text = WHOLE.replace("JPY = 5000", "JPY = 5500").replace('"API calls"', '"Calls"')

    planned = services.plan_catalogue(text, now=make.NOW)

    assert everything() == before
    assert [(str(change.entry), change.is_new, change.details) for change in planned.changes] == [
        ("meter api_calls", False, ("name_en: API calls → Calls",)),
        ("plan starter version 1", False, ("price.JPY: ¥5,000 → ¥5,500",)),
    ]
    applied = services.apply_catalogue(text, actor=make.ACTOR, now=make.NOW)
    assert applied == planned
    assert PlanPrice.objects.get(currency="JPY").net == 5_500


def test_a_changed_vendor_is_a_new_version_and_the_old_one_stays() -> None:
    apply(WHOLE)

    apply(WHOLE.replace('"Shiosai"', '"Shiosai Group"'))

    assert list(VendorVersion.objects.order_by("number").values_list("number", "name_en")) == [
        (1, "Shiosai"),
        (2, "Shiosai Group"),
    ]


def test_a_spot_contract_may_span_a_renewal_unless_the_vendor_says_no() -> None:
    strict = WHOLE.replace("[vendor]\n", "[vendor]\nspot_may_span_renewal = false\n")
    apply(WHOLE)
    assert queries.vendor().spot_may_span_renewal is True

    assert apply(strict) == ["vendor"]
    assert queries.vendor().spot_may_span_renewal is False
    assert apply(strict) == []
    assert apply(METER) == []
    assert queries.vendor().spot_may_span_renewal is False

    assert apply(WHOLE) == ["vendor"]
    assert queries.vendor().spot_may_span_renewal is True
    assert VendorVersion.objects.count() == 3


def test_whether_a_spot_contract_may_span_a_renewal_is_true_or_false() -> None:
    text = WHOLE.replace("[vendor]\n", '[vendor]\nspot_may_span_renewal = "no"\n')

    assert refusals(text) == [(2, "vendor.spot_may_span_renewal: expected true or false, not text")]


def test_a_file_without_vendor_adds_to_what_there_is() -> None:
    apply(WHOLE)
    more = (
        METER.replace("api_calls", "gb")
        + 'consumed_unit = "GB"\n'
        + PLAN.replace('"starter"', '"other"')
    )

    changed = apply(more)

    assert changed == ["meter gb", "plan other", "plan other version 1"]
    assert [meter.code for meter in queries.meters()] == ["api_calls", "gb"]
    assert apply(WHOLE) == []
    assert apply(more) == []


def test_what_a_file_leaves_out_stays() -> None:
    apply(WHOLE)

    assert apply(WHOLE.removesuffix(PLAN)) == []
    assert PlanVersion.objects.count() == 1


def test_meters_come_in_the_order_of_the_file() -> None:
    first, second = METER, METER.replace("api_calls", "messages")
    vendor_and_plan = WHOLE.replace(METER, "{}")
    apply(vendor_and_plan.replace("{}", first + second))

    apply(vendor_and_plan.replace("{}", second + first))

    assert [meter.code for meter in queries.meters()] == ["messages", "api_calls"]


def test_a_version_in_use_is_refused_and_a_new_number_asked_for() -> None:
    apply(WHOLE)
    select_starter()

    assert refusals(WHOLE.replace("JPY = 5000", "JPY = 5500")) == [
        (
            20,
            (
                "plan starter version 1 is in use and stays as it is (price.JPY: ¥5,000 → ¥5,500); "
                "give the new terms version number 2"
            ),
        )
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("accounts_per_step = 100", "accounts_per_step = 200"),
        ("on_sale_from = 2024-01-01", "on_sale_from = 2025-01-01"),
        ("included = 100000", "included = 100001"),
        ('JPY = "0.004"', 'JPY = "0.0041"'),
        ("last_unit = 10000", "last_unit = 10001"),
        (', USD = "50.00"', ""),
    ],
)
def test_nothing_of_a_version_in_use_may_differ(before: str, after: str) -> None:
    apply(WHOLE)
    select_starter()
    text = WHOLE.replace(before, after)
    if "50.00" in before:
        text = text.replace(', USD = "0.0001"', "").replace(', USD = "0.00004"', "")

    assert [line for line, _ in refusals(text)] == [20]


def test_the_sale_of_a_version_in_use_may_end_and_a_new_version_follow() -> None:
    apply(WHOLE)
    select_starter()
    second = PLAN[PLAN.index("\n[[plan.version]]") :].replace("number = 1", "number = 2")
    ended = WHOLE.replace("2024-01-01\n", "2024-01-01\non_sale_until = 2027-01-01\n")

    changed = apply(ended + second.replace("JPY = 5000", "JPY = 6000"))

    assert changed == ["plan starter version 1", "plan starter version 2"]
    prices = PlanPrice.objects.filter(currency="JPY").order_by("version__number")
    assert [price.net for price in prices] == [5_000, 6_000]


def test_a_version_that_nobody_selected_may_change() -> None:
    apply(WHOLE)

    assert apply(WHOLE.replace("included = 100000", "included = 7")) == ["plan starter version 1"]
    assert {price.included for price in MeterPrice.objects.all()} == {7}


def test_category_aggregation_and_time_zone_stay() -> None:
    apply(WHOLE)
    select_starter()
    text = (
        WHOLE.replace("Asia/Tokyo", "Europe/Berlin")
        .replace('en = "API calls" }', 'en = "API calls" }\naggregation = "max"')
        .replace('category = "licence"', 'category = "licence"\ntax = "reduced"')
    )

    assert refusals(text) == [
        (1, "vendor.time_zone: stays Asia/Tokyo; customers' days and months are counted in it"),
        (
            11,
            "meter api_calls: its aggregation stays sum; make a new meter with a code of its own",
        ),
        (
            16,
            (
                "plan starter is in use: its category, free and tax stay; make a plan with a code of "
                "its own"
            ),
        ),
    ]


def test_a_consumed_unit_has_one_meter() -> None:
    apply(WHOLE.replace(METER, METER + 'consumed_unit = "GB"\n'))

    assert refusals(METER.replace("api_calls", "gb") + 'consumed_unit = "GB"\n') == [
        (2, "meter gb: meter api_calls takes in 'GB' already")
    ]


def test_published_terms_of_use_stay_and_the_next_follow() -> None:
    terms = '\n[[terms_of_use]]\nnumber = 2\ntext = { ja = "規約", en = "Terms" }\n'
    apply(WHOLE + terms)

    assert refusals(WHOLE + terms.replace('"Terms"', '"Other"')) == [
        (34, "terms of use 2 were published with another text; give the new text number 3")
    ]
    assert refusals(WHOLE + terms.replace("= 2", "= 1")) == [
        (34, "terms of use 1: number 2 is published already; go on from there")
    ]
    assert apply(WHOLE + terms + terms.replace("= 2", "= 3")) == ["terms of use 3"]


CANCELLATION_TERMS = """
[[cancellation_terms]]
number = 1
title = { ja = "解約の条件", en = "Cancellation terms" }

[[cancellation_terms.box]]
ja = "終了します。"
en = "It ends."

[[cancellation_terms.box]]
ja = "返金されません。"
en = "Nothing is refunded."
"""


def test_cancellation_terms_are_stored_with_their_boxes() -> None:
    changed = apply(
        WHOLE.replace("[vendor]", '[vendor]\ncancellation_ends = "term"\ndata_kept_days = 90')
        + CANCELLATION_TERMS
    )

    assert "cancellation terms 1" in changed
    terms = queries.cancellation_terms()
    assert terms is not None
    assert (terms.number, terms.title_en, terms.intro_ja) == (1, "Cancellation terms", "")
    assert terms.boxes == [
        {"ja": "終了します。", "en": "It ends."},
        {"ja": "返金されません。", "en": "Nothing is refunded."},
    ]
    vendor = queries.vendor()
    assert (vendor.cancellation_ends, vendor.data_kept_days) == ("term", 90)


def test_published_cancellation_terms_stay_and_the_next_follow() -> None:
    """Rule: S1-28."""
    apply(WHOLE + CANCELLATION_TERMS)

    assert apply(WHOLE + CANCELLATION_TERMS) == []
    assert refusals(WHOLE + CANCELLATION_TERMS.replace("It ends.", "It goes on.")) == [
        (34, "cancellation terms 1 were published with another text; give the new text number 2")
    ]
    assert apply(CANCELLATION_TERMS.replace("= 1", "= 2")) == ["cancellation terms 2"]
    newest = queries.cancellation_terms()
    assert newest is not None
    assert newest.number == 2


def test_the_command_tells_file_line_and_reason(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text(WHOLE.replace('"JP"', '"XX"'), encoding="utf-8")

    with pytest.raises(CommandError) as refused:
        call_command("apply_catalogue", str(file))

    assert str(refused.value) == (
        f"{file}:5: vendor.country: 'XX' is not a country of ISO 3166 such as JP\n"
        "1 problem; nothing was changed."
    )
    assert not VendorVersion.objects.exists()


def test_the_command_refuses_what_is_no_text_file(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply_catalogue", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("apply_catalogue", str(tmp_path / "none.toml"))


def test_the_command_shows_then_applies_then_has_nothing_to_do(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text(WHOLE, encoding="utf-8")
    shown, applied, again = StringIO(), StringIO(), StringIO()

    call_command("apply_catalogue", str(file), "--plan", stdout=shown)
    assert not VendorVersion.objects.exists()
    call_command("apply_catalogue", str(file), stdout=applied)
    call_command("apply_catalogue", str(file), stdout=again)

    assert shown.getvalue().splitlines()[:-1] == applied.getvalue().splitlines()[:-1]
    assert shown.getvalue().endswith("4 to change. Nothing was changed: --plan only shows.\n")
    assert applied.getvalue().endswith("4 changed.\n")
    assert again.getvalue() == "Nothing to change.\n"


@pytest.mark.parametrize("file", ["demo/catalogue.toml", "examples/focus/catalogue.toml"])
def test_the_catalogues_that_come_along_apply_on_top_of_each_other(file: str) -> None:
    apply(Path("demo/catalogue.toml").read_text(encoding="utf-8"))
    text = Path(file).read_text(encoding="utf-8")
    apply(text)

    assert apply(text) == []
    assert queries.vendor().name_en == "Shiosai Connect Inc."
