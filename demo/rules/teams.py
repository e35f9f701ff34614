"""Who works for a customer beside the people of its story: made-up names, a month to come in, groups."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from accounts.enums import Language
from demo.rules.customers import LAST, Customer

_FAMILIES = [
    ("阿部", "abe"), ("石井", "ishii"), ("上田", "ueda"), ("遠藤", "endo"), ("太田", "ota"),
    ("岡本", "okamoto"), ("金子", "kaneko"), ("木村", "kimura"), ("斎藤", "saito"), ("坂本", "sakamoto"),
    ("柴田", "shibata"), ("杉山", "sugiyama"), ("千葉", "chiba"), ("長谷川", "hasegawa"),
]  # fmt: skip
_GIVEN = [
    ("葵", "aoi"), ("大和", "yamato"), ("陽菜", "hina"), ("悠斗", "yuto"), ("結衣", "yui"),
    ("颯太", "sota"), ("美月", "mitsuki"), ("直樹", "naoki"), ("七海", "nanami"), ("拓海", "takumi"),
]  # fmt: skip
_FAMILIES_ABROAD = [
    "Archer", "Bauer", "Curtis", "Dietrich", "Ellis", "Franke", "Grant", "Hartmann", "Irwin", "Jansen",
    "Keller", "Lambert", "Morgan", "Neumann",
]  # fmt: skip
_GIVEN_ABROAD = [
    "Alice", "Ben", "Clara", "David", "Ella", "Felix", "Greta", "Henry", "Ida", "Julian",
]  # fmt: skip
_GROUPS = {
    Language.JA: ("営業部", "開発部", "サポート"),
    Language.EN: ("Sales", "Engineering", "Support"),
}
# Of a hundred: how many have not come yet, and how many have left again.
_WAITING, _GONE = 8, 6


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person who is registered in a `month` of the story, on a day of it.

    `came`: has signed in since; `is_gone`: was deactivated by hand afterwards.
    """

    name: str
    local: str
    month: int
    day: int
    group: str
    came: bool
    is_gone: bool


def colleagues(customer: Customer, number: int, *, seed: int) -> Iterator[Colleague]:
    """Yield a customer's further people, by the month in which they come. The same seed, the same people."""
    chance = Random(f"{seed}:{customer.reference}:team")
    first = customer.choices[0].month
    names = _names(customer.language)
    chance.shuffle(names)
    months = sorted(chance.randint(first, LAST) for _ in range(number))
    for (name, local), month in zip(names, months, strict=False):
        lot = chance.randrange(100)
        yield Colleague(
            name=name,
            local=local,
            month=month,
            day=chance.randint(2, 27),
            group=chance.choice(_GROUPS[customer.language]),
            came=lot >= _WAITING,
            is_gone=lot >= 100 - _GONE,
        )


def _names(language: Language) -> list[tuple[str, str]]:
    if language == Language.JA:
        return [
            (f"{family} {given}", f"{romaji}.{called}")
            for family, romaji in _FAMILIES
            for given, called in _GIVEN
        ]
    return [
        (f"{given} {family}", f"{given}.{family}".lower())
        for family in _FAMILIES_ABROAD
        for given in _GIVEN_ABROAD
    ]
