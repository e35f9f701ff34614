"""What Paid asks of a new member, field by field, and the code of each fault in it.

B45, B64 and B65 are known. The other numbers are ours: the source says "in field order", and this
is one such order.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EMAIL_TAKEN = "B45"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a member's data; a code that is "" cannot come about."""

    name: str
    missing: str = ""
    too_long: str = ""
    malformed: str = ""
    longest: int = 0
    pattern: str = ""

    def fault(self, value: Any) -> str:
        """Return the code of what is wrong with a value, or ""."""
        if value in (None, ""):
            return self.missing
        if not isinstance(value, str):
            return self.malformed or self.too_long or self.missing
        if self.longest and len(value) > self.longest:
            return self.too_long or self.malformed
        if self.pattern and not re.fullmatch(self.pattern, value):
            return self.malformed
        return ""


_PHONE = r"[0-9]+(-[0-9]+)+"
_EMAIL = r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+"
_URL = r"https?://[!-~]+"
PREFECTURES = tuple(
    ["北海道", "青森県", "岩手県", "宮城県", "秋田県", "山形県", "福島県", "茨城県", "栃木県", "群馬県", "埼玉県", "千葉県", "東京都", "神奈川県", "新潟県", "富山県", "石川県", "福井県", "山梨県", "長野県", "岐阜県", "静岡県", "愛知県", "三重県", "滋賀県", "京都府", "大阪府", "兵庫県", "奈良県", "和歌山県", "鳥取県", "島根県", "岡山県", "広島県", "山口県", "徳島県", "香川県", "愛媛県", "高知県", "福岡県", "佐賀県", "長崎県", "熊本県", "大分県", "宮崎県", "鹿児島県", "沖縄県"]
)

FIELDS = (
    Field("b2bMemberId", "B01", "B02", "B03", 20, r"[A-Za-z0-9._-]+"),
    Field("companyName", "B04", "B05", "", 50),
    Field("companyNameKana", "B06", "B07", "", 50),
    Field("representativeSei", "B08", "B09", "", 50),
    Field("representativeMei", "B10", "B11", "", 50),
    Field("representativeSeiKana", "B12", "B13", "", 50),
    Field("representativeMeiKana", "B14", "B15", "", 50),
    Field("zipCode", "B16", "", "B17", 0, r"[0-9]{3}-[0-9]{4}"),
    Field("prefecture", "B18", "", "B19", 0, "|".join(PREFECTURES)),
    Field("address1", "B20", "B21", "", 50),
    Field("address2", "B22", "B23", "", 50),
    Field("building", "", "B24", "", 50),
    Field("clerkSei", "B25", "B26", "", 50),
    Field("clerkMei", "B27", "B28", "", 50),
    Field("clerkSeiKana", "B29", "B30", "", 50),
    Field("clerkMeiKana", "B31", "B32", "", 50),
    Field("tel", "B33", "B34", "B35", 25, _PHONE),
    Field("fax", "", "B36", "B37", 25, _PHONE),
    Field("mobile", "", "B38", "B39", 25, _PHONE),
    Field("email", "B42", "B43", "B44", 100, _EMAIL),
    Field("establishedYear", "", "", "B46", 0, r"[1-9][0-9]{2}|1[0-9]{3}|2[0-4][0-9]{2}|2500"),
    Field("establishedMonth", "", "", "B47", 0, r"0?[1-9]|1[0-2]"),
    Field("annualSales", "", "", "B48", 0, r"[0-9]{1,9}"),
    Field("businessDetailType", "", "", "B49", 0, r"[0-9]{1,3}"),
    Field("dealingBrand", "", "B50", "", 300),
    Field("shopCount", "", "", "B51", 0, r"[0-9]{1,10}"),
    Field("url1", "", "B52", "B53", 200, _URL),
    Field("url2", "", "B54", "B55", 200, _URL),
    Field("url3", "", "B56", "B57", 200, _URL),
    Field("prText", "", "B58", "", 1000),
    Field("closingDay", "", "", "B64", 0, r"20|31"),
    Field("paymentMethod", "", "", "B65", 0, r"[12]"),
)


def faults(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the codes of what is wrong with a new member's data, in the order of the fields."""
    for field in FIELDS:
        if code := field.fault(data.get(field.name)):
            yield code
