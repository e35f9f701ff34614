"""Plan terms and timelines without a database, for the rules that are pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from plans.enums import Category, TaxCategory
from plans.rules import PlanTerms
from plans.rules.timeline import Span, Timeline

TOKYO = ZoneInfo("Asia/Tokyo")


def local(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=TOKYO).astimezone(UTC)


def terms(
    code: str,
    version_id: int,
    net: int = 0,
    *,
    category: Category = Category.LICENCE,
    accounts_per_step: int | None = 100,
    number: int = 1,
) -> PlanTerms:
    return PlanTerms(
        version_id=version_id,
        version_number=number,
        category=category,
        plan_code=code,
        name_ja=f"{code}プラン",
        name_en=code.capitalize(),
        currency="JPY",
        net=net,
        accounts_per_step=accounts_per_step if category is Category.LICENCE else None,
        is_free=net == 0,
        tax_category=TaxCategory.STANDARD,
        meters=(),
    )


FREE = terms("free", 1, accounts_per_step=10)
BASIC = terms("basic", 2, 1_000)
PRO = terms("pro", 3, 5_000)
PRO_2 = terms("pro", 4, 6_000, number=2)
HELP = terms("help", 5, 500, category=Category.SUPPORT)
NO_HELP = terms("no-help", 6, category=Category.SUPPORT)


def free_since(at: datetime) -> Timeline:
    return Timeline(licence=(Span(FREE, 1, at),), free=FREE)


def day(text: str) -> date:
    return date.fromisoformat(text)
