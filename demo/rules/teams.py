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
SEASONAL = {Language.JA: "短期", Language.EN: "Seasonal"}
# Of a hundred: how many have not come yet, and how many have left again.
_WAITING, _GONE = 8, 6
_MOST_QUIET = 12


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person beside those of the story.

    `came`: has signed in since, last so many days ago as `quiet` says; `is_gone`: was deactivated by hand
    after some weeks.
    """

    name: str
    local: str
    group: str
    came: bool
    quiet: int
    is_gone: bool = False


def colleagues(
    customer: Customer, number: int, *, seed: int
) -> Iterator[tuple[Colleague, int, int]]:
    """Yield a customer's further people, each with the month of the story and the day of coming.

    The same seed gives the same people.
    """
    chance = Random(f"{seed}:{customer.reference}:team")
    first = customer.choices[0].month
    names = shuffled_names(customer, chance)
    months = sorted(chance.randint(first, LAST) for _ in range(number))
    for (name, local), month in zip(names, months, strict=False):
        lot = chance.randrange(100)
        colleague = Colleague(
            name=name,
            local=local,
            group=chance.choice(_GROUPS[customer.language]),
            came=lot >= _WAITING,
            quiet=chance.randrange(_MOST_QUIET),
            is_gone=lot >= 100 - _GONE,
        )
        yield colleague, month, chance.randint(2, 27)


def shuffled_names(customer: Customer, chance: Random) -> list[tuple[str, str]]:
    """Return made-up names in the customer's language, each with what stands before the @."""
    names = _names(customer.language)
    chance.shuffle(names)
    return names


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
