"""What a company in Japan is asked about itself, and how its answers are written alike.

Pure: the texts of the form are the gateway's (payments.gateways.paid.form). Rule: gateways.md 3.2.
"""

import re
import unicodedata
from collections.abc import Mapping

POSTAL_CODE = r"[0-9]{3}-[0-9]{4}"
TELEPHONE = r"0[0-9]+(-[0-9]+)+"
# Katakana with its long-vowel mark, middle dot and blanks; digits are spelled out in kana.
KANA = r"[ァ-ヺー・][ァ-ヺー・ 　]*"
EMAIL = r"[A-Za-z0-9._%+'/=?^{}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
WEB_ADDRESS = r"https?://[A-Za-z0-9.-]+(:[0-9]+)?([/?#][!-~]*)?"

PREFECTURES = (
    "北海道",
    "青森県",
    "岩手県",
    "宮城県",
    "秋田県",
    "山形県",
    "福島県",
    "茨城県",
    "栃木県",
    "群馬県",
    "埼玉県",
    "千葉県",
    "東京都",
    "神奈川県",
    "新潟県",
    "富山県",
    "石川県",
    "福井県",
    "山梨県",
    "長野県",
    "岐阜県",
    "静岡県",
    "愛知県",
    "三重県",
    "滋賀県",
    "京都府",
    "大阪府",
    "兵庫県",
    "奈良県",
    "和歌山県",
    "鳥取県",
    "島根県",
    "岡山県",
    "広島県",
    "山口県",
    "徳島県",
    "香川県",
    "愛媛県",
    "高知県",
    "福岡県",
    "佐賀県",
    "長崎県",
    "熊本県",
    "大分県",
    "宮崎県",
    "鹿児島県",
    "沖縄県",
)

_NUMBERS = frozenset({"zipCode", "tel", "fax", "mobile"})
_ADDRESSES = frozenset({"email", "url1"})
_KANA_SUFFIX = "Kana"
# What is typed for a hyphen: of each width, dashes, the minus sign, the long-vowel mark.
_HYPHENS = dict.fromkeys(map(ord, "‐‑‒–—―−ー─━"), "-")
_HIRAGANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def normalised(profile: Mapping[str, str]) -> dict[str, str]:
    """Return the profile as Paid wants it written; what cannot be read so stays for the form to refuse.

    Numbers become half-width with hyphens, kana full-width katakana, addresses half-width; of all
    else only the blanks at the ends go. To do so twice changes nothing.
    """
    return {name: _written(name, text) for name, text in profile.items()}


def _written(name: str, text: str) -> str:
    if name in _NUMBERS:
        return _number(name, text)
    if name in _ADDRESSES:
        return unicodedata.normalize("NFKC", text).strip()
    if name.endswith(_KANA_SUFFIX):
        return unicodedata.normalize("NFKC", text).translate(_HIRAGANA).strip()
    return text.strip()


def _number(name: str, text: str) -> str:
    # The brackets of 03(1234)5678 part what hyphens part.
    plain = unicodedata.normalize("NFKC", text).translate(_HYPHENS)
    parted = re.sub(r"[()\s-]+", "-", plain.replace("〒", "")).strip("-")
    if name == "zipCode" and re.fullmatch(r"[0-9]{7}", parted):
        return f"{parted[:3]}-{parted[3:]}"
    return parted
