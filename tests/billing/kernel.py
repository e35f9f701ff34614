"""Values for the tests of the kernel: the price list of domain.md's examples."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing.enums import LineKind, TaxCode
from billing.rules.facts import Bill, Facts, Fee, LateMonth, Line
from core.money import Rounding
from core.months import BillingMonth
from plans.enums import Aggregation, Category, TaxCategory
from plans.rules import Meter, MeterTerms, PlanTerms, Tier

OCTOBER = BillingMonth(2026, 10)
SEPTEMBER = BillingMonth(2026, 9)


def meter(
    code: str = "calls", *, meter_id: int = 1, aggregation: Aggregation = Aggregation.SUM
) -> Meter:
    return Meter(meter_id, code, aggregation, f"{code}数", code.capitalize(), "回", "calls")


CALLS = meter()
MESSAGES = meter("messages", meter_id=2)
FLAT = (Tier(None, Decimal("0.01")),)
TIERS = (Tier(Decimal(10_000), Decimal("0.01")), Tier(None, Decimal("0.004")))


def calls(tiers: Sequence[Tier] = TIERS, *, included: int = 100_000) -> MeterTerms:
    return MeterTerms(CALLS, Decimal(included), tuple(tiers))


def terms(
    net: int = 0,
    *meters: MeterTerms,
    version_id: int = 1,
    category: Category = Category.LICENCE,
    currency: str = "JPY",
    tax_category: TaxCategory = TaxCategory.STANDARD,
    name: str = "Starter",
) -> PlanTerms:
    return PlanTerms(
        version_id=version_id,
        version_number=3,
        category=category,
        plan_code=name.lower(),
        name_ja="スターター",
        name_en=name,
        currency=currency,
        net=net,
        accounts_per_step=100 if category == Category.LICENCE else None,
        is_free=net == 0,
        tax_category=tax_category,
        meters=meters,
    )


def support(net: int, tax_category: TaxCategory = TaxCategory.STANDARD) -> PlanTerms:
    return terms(
        net, version_id=2, category=Category.SUPPORT, tax_category=tax_category, name="Silver"
    )


def facts(
    *,
    licence: PlanTerms | None = None,
    steps: int = 1,
    support: PlanTerms | None = None,
    meters: tuple[Meter, ...] = (CALLS, MESSAGES),
    used: Mapping[str, Decimal] | None = None,
    late: tuple[LateMonth, ...] = (),
    credit: Mapping[TaxCode, int] | None = None,
    month: BillingMonth = OCTOBER,
    currency: str = "JPY",
    country: str = "JP",
    vendor_country: str = "JP",
    tax_rounding: Rounding = Rounding.DOWN,
) -> Facts:
    return Facts(
        organisation_id=7,
        month=month,
        currency=currency,
        country=country,
        vendor_country=vendor_country,
        tax_rounding=tax_rounding,
        licence=Fee(licence, steps) if licence else None,
        support=Fee(support, 1) if support else None,
        meters=meters,
        used=used or {},
        late=late,
        credit=credit or {},
    )


def late(
    *,
    licence: PlanTerms | None,
    used: Mapping[str, Decimal],
    rated: Mapping[str, Decimal],
    billed: Mapping[str, int],
    month: BillingMonth = SEPTEMBER,
    tax_code: TaxCode = TaxCode.JP10,
    revision: int = 1,
) -> LateMonth:
    return LateMonth(month, licence, tax_code, used, rated, billed, revision)


def kinds(bill: Bill) -> list[tuple[LineKind, int]]:
    return [(line.kind, line.net) for line in bill.lines]


def line_of(bill: Bill, kind: LineKind) -> Line:
    (line,) = [line for line in bill.lines if line.kind == kind]
    return line
