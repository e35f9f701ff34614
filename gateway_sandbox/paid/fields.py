"""What Paid asks of a new member, field by field, and the code of each fault in it.

The codes count from B01 in the order of the fields, and in each field from missing over too long
to malformed, as far as they apply. So B45 is an e-mail address that is registered with Paid
already; B64 and B65 stand by themselves (gateways.md 3.2).
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EMAIL_TAKEN = "B45"
CLOSING_DAY, PAYMENT_METHOD = "B64", "B65"

_PHONE = r"[0-9]+(-[0-9]+)+"
_EMAIL = r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+"
_URL = r"https?://[!-~]+"
_YEAR = r"[1-9][0-9]{2}|1[0-9]{3}|2[0-4][0-9]{2}|2500"
_PREFECTURES = (
    "北海道|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県|"
    "埼玉県|千葉県|東京都|神奈川県|新潟県|富山県|石川県|福井県|山梨県|長野県|"
    "岐阜県|静岡県|愛知県|三重県|滋賀県|京都府|大阪府|兵庫県|奈良県|和歌山県|"
    "鳥取県|島根県|岡山県|広島県|山口県|徳島県|香川県|愛媛県|高知県|福岡県|"
    "佐賀県|長崎県|熊本県|大分県|宮崎県|鹿児島県|沖縄県"
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its limit, what a whole value matches, and how many codes it has besides."""

    name: str
    longest: int
    pattern: str = ""
    is_required: bool = True
    other_codes: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """What can be wrong with it, in the order of the codes."""
        missing = ("missing",) if self.is_required else ()
        malformed = ("malformed",) if self.pattern else ()
        return (*missing, "too_long", *malformed, *["other"] * self.other_codes)

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, or ""."""
        if value in (None, ""):
            return "missing" if self.is_required else ""
        if not isinstance(value, str):
            return "malformed" if self.pattern else "too_long"
        if len(value) > self.longest:
            return "too_long"
        return "malformed" if self.pattern and not re.fullmatch(self.pattern, value) else ""


def _optional(name: str, longest: int, pattern: str = "") -> Field:
    return Field(name, longest, pattern, is_required=False)


FIELDS = (
    Field("b2bMemberId", 20, r"[A-Za-z0-9._-]+"),
    Field("companyName", 50),
    Field("companyNameKana", 50),
    Field("representativeSei", 50),
    Field("representativeMei", 50),
    Field("representativeSeiKana", 50),
    Field("representativeMeiKana", 50),
    Field("zipCode", 8, r"[0-9]{3}-[0-9]{4}"),
    Field("prefecture", 50, _PREFECTURES),
    Field("address1", 50),
    Field("address2", 50),
    _optional("building", 50),
    Field("clerkSei", 50),
    Field("clerkMei", 50),
    Field("clerkSeiKana", 50),
    Field("clerkMeiKana", 50),
    Field("tel", 25, _PHONE),
    _optional("fax", 25, _PHONE),
    _optional("mobile", 25, _PHONE),
    Field("email", 100, _EMAIL, other_codes=1),
    _optional("establishedYear", 4, _YEAR),
    _optional("establishedMonth", 2, r"0?[1-9]|1[0-2]"),
    _optional("annualSales", 9, r"[0-9]+"),
    _optional("businessDetailType", 3, r"[0-9]+"),
    _optional("dealingBrand", 300),
    _optional("shopCount", 10, r"[0-9]+"),
    _optional("url1", 200, _URL),
    _optional("url2", 200, _URL),
    _optional("url3", 200, _URL),
    _optional("pr", 1000),
)
CODES = {
    (field.name, problem): f"B{number:02}"
    for number, (field, problem) in zip(
        itertools.count(1),
        ((field, problem) for field in FIELDS for problem in field.problems),
        strict=False,
    )
}
_SETTINGS = (("closingDay", r"20|31", CLOSING_DAY), ("paymentMethod", r"1|2", PAYMENT_METHOD))


def faults(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the codes of what is wrong with a new member's data, in the order of the fields."""
    for field in FIELDS:
        if problem := field.problem(data.get(field.name)):
            yield CODES[field.name, problem]
    for name, pattern, code in _SETTINGS:
        if name in data and not re.fullmatch(pattern, str(data[name])):
            yield code
