"""The demo vendor's customers. All of them are made up."""

import enum
from dataclasses import dataclass

from accounts.enums import Language, Role

# The stories below are told in a year and two months, numbered from 0; 13 is the month of today.
LAST = 13


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan that is selected in a month of the story, on a day, at an hour of the vendor's zone.

    `term`: the months of the main contract that begins with it; 0: none does.
    """

    month: int
    day: int
    plan: str
    steps: int = 1
    hour: int = 10
    term: int = 0
    renews: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What is used on an ordinary working day at the beginning; `growth`: permille a month.

    `stored`: in thousandths of a gigabyte. `spike`: a month and by how many times it rises then.
    """

    calls: int
    devices: int
    stored: int
    messages: int
    growth: int = 30
    spike: tuple[int, int] | None = None


class Pays(enum.Enum):
    """How a customer pays. DECLINED: by PayPal, which declines from the last billed month on."""

    PAYPAL = "paypal"
    PAID = "paid"
    DECLINED = "declined"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Customer:
    """`people`: role, name and what stands before the @; the first is the root account."""

    reference: str
    name: str
    country: str
    currency: str
    language: Language
    postal_code: str
    address: str
    people: tuple[tuple[Role, str, str], ...]
    choices: tuple[Choice, ...]
    level: Level
    is_large: bool = False
    pays: Pays = Pays.PAYPAL

    @property
    def domain(self) -> str:
        return f"{self.reference}.example"


@dataclass(frozen=True, slots=True)
class LateEvent:
    """An event of a `month` that comes in on a day of the month after, when that is billed.

    `corrects`: the number of the event of that day and meter which it replaces (B-05).
    """

    reference: str
    month: int
    day: int
    meter: str
    quantity: int
    corrects: int | None = None


def _team(*people: tuple[str, str]) -> tuple[tuple[Role, str, str], ...]:
    roles = [Role.ROOT, Role.MANAGER, *[Role.MEMBER] * len(people)]
    return tuple((role, *person) for role, person in zip(roles, people, strict=False))


CUSTOMERS = (
    Customer(
        reference="aoba-sensing",
        name="青葉センシング株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="980-0099",
        address="宮城県仙台市青葉区一番通1-2-3",
        people=_team(("佐藤 花子", "hanako"), ("鈴木 健", "ken"), ("高橋 美咲", "misaki")),
        choices=(
            Choice(0, 1, "starter", hour=0),
            Choice(0, 1, "support-basic", hour=0),
            Choice(9, 14, "support-business"),
            Choice(10, 15, "starter", term=12, renews=True),
        ),
        level=Level(calls=4_200, devices=62, stored=8_400, messages=2_300, growth=45),
    ),
    Customer(
        reference="minato-logistics",
        name="みなと物流株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="650-0099",
        address="兵庫県神戸市中央区港通5-6-7",
        pays=Pays.PAID,
        people=_team(("田中 誠", "makoto"), ("伊藤 彩", "aya"), ("山本 翔", "sho")),
        choices=(
            Choice(0, 1, "starter", hour=0),
            Choice(1, 5, "support-business"),
            Choice(7, 10, "standard"),
            Choice(8, 20, "support-premium"),
            Choice(9, 20, "standard", term=12),
            Choice(11, 3, "support-business"),
        ),
        level=Level(calls=62_000, devices=380, stored=71_500, messages=34_000, growth=70),
    ),
    Customer(
        reference="hinode-farm",
        name="日の出ファーム",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="080-0099",
        address="北海道帯広市日の出町12-4",
        pays=Pays.NOTHING,
        people=_team(("渡辺 大輔", "daisuke"), ("中村 由美", "yumi"), ("小林 蓮", "ren")),
        choices=(Choice(0, 6, "free"),),
        level=Level(calls=190, devices=3, stored=420, messages=85, growth=15),
    ),
    Customer(
        reference="kitaguni-energy",
        name="北国エナジー株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="060-0099",
        address="北海道札幌市中央区雪見条8-9",
        pays=Pays.PAID,
        people=_team(("加藤 涼", "ryo"), ("吉田 恵", "megumi"), ("山田 陸", "riku")),
        choices=(
            Choice(1, 12, "free"),
            Choice(5, 18, "starter", term=12, renews=True),
            Choice(6, 2, "support-business"),
        ),
        level=Level(calls=3_100, devices=48, stored=9_800, messages=1_900, growth=90),
    ),
    Customer(
        reference="bluebird-robotics",
        name="Bluebird Robotics, Inc.",
        country="US",
        currency="USD",
        language=Language.EN,
        postal_code="97299",
        address="1200 NW Harbor Way, Portland, OR, USA",
        people=_team(("Emma Clark", "emma"), ("Noah Reed", "noah"), ("Ava Stone", "ava")),
        choices=(
            Choice(0, 1, "standard", hour=0),
            Choice(0, 1, "support-premium", hour=0),
            Choice(7, 9, "support-business"),
            Choice(9, 1, "standard", term=12, renews=True),
        ),
        level=Level(calls=96_000, devices=540, stored=118_000, messages=52_000, growth=35),
    ),
    Customer(
        reference="rheinland-sensorik",
        name="Rheinland Sensorik GmbH",
        country="DE",
        currency="USD",
        language=Language.EN,
        postal_code="50699",
        address="Am Alten Hafen 17, Köln, Germany",
        people=_team(("Lena Fischer", "lena"), ("Jonas Weber", "jonas"), ("Mia Koch", "mia")),
        choices=(
            Choice(2, 3, "starter", steps=2),
            Choice(2, 3, "support-basic"),
            Choice(12, 5, "starter", steps=2, term=1, renews=True),
        ),
        level=Level(calls=5_600, devices=77, stored=14_200, messages=3_100, growth=25),
    ),
    Customer(
        reference="tsubaki-medical",
        name="つばきメディカル株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="460-0099",
        address="愛知県名古屋市中区椿町3-3-3",
        people=_team(
            ("松本 直樹", "naoki"),
            ("井上 真理", "mari"),
            ("木村 拓", "taku"),
            ("林 さくら", "sakura"),
        ),
        choices=(
            Choice(0, 1, "standard", steps=3, hour=0),
            Choice(0, 1, "support-premium", hour=0),
            Choice(2, 10, "standard", steps=3, term=12, renews=True),
        ),
        level=Level(calls=410_000, devices=2_900, stored=640_000, messages=260_000, growth=40),
        is_large=True,
    ),
    Customer(
        reference="momiji-facilities",
        name="もみじファシリティーズ株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="604-0099",
        address="京都府京都市中京区紅葉通り22",
        pays=Pays.DECLINED,
        people=_team(("清水 優", "yu"), ("森 千尋", "chihiro"), ("池田 悠真", "yuma")),
        choices=(
            Choice(0, 4, "starter"),
            Choice(3, 25, "starter", steps=2),
            Choice(12, 28, "starter", steps=2, term=12),
        ),
        level=Level(calls=3_600, devices=55, stored=10_900, messages=2_000, spike=(9, 4)),
    ),
    Customer(
        reference="kawasemi-works",
        name="カワセミワークス合同会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="390-0099",
        address="長野県松本市川辺2-18",
        people=_team(("阿部 隼人", "hayato"), ("橋本 葵", "aoi"), ("石川 樹", "itsuki")),
        choices=(Choice(0, 8, "starter"), Choice(10, 16, "free")),
        level=Level(calls=1_200, devices=18, stored=2_900, messages=640, growth=-20),
    ),
    Customer(
        reference="harbor-lights",
        name="Harbor Lights Aquaculture LLC",
        country="US",
        currency="USD",
        language=Language.EN,
        postal_code="04199",
        address="88 Fisherman's Row, Portland, ME, USA",
        people=_team(("Olivia Hart", "olivia"), ("Liam Young", "liam"), ("Zoe Cole", "zoe")),
        # On the first instant of a month: it is charged from the month after (S1-26).
        choices=(Choice(3, 11, "free"), Choice(6, 1, "starter", hour=0, term=12)),
        level=Level(calls=3_900, devices=58, stored=11_300, messages=2_400, growth=20),
    ),
    Customer(
        reference="tsumugi-events",
        name="つむぎイベント株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="460-0098",
        address="愛知県名古屋市中区糸町5-12",
        people=_team(("西村 楓", "kaede"), ("福田 蒼", "so"), ("内田 凛", "rin")),
        choices=(
            Choice(5, 1, "lite", steps=3, hour=0, term=12),
            Choice(5, 1, "support-basic", hour=0),
        ),
        level=Level(calls=1_900, devices=24, stored=3_100, messages=980, growth=30),
    ),
    Customer(
        reference="tanpopo-care",
        name="たんぽぽケアサービス株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="700-0099",
        address="岡山県岡山市北区若草町8-4",
        people=_team(("原田 咲", "saki"), ("竹内 翼", "tsubasa"), ("小川 栞", "shiori")),
        choices=(Choice(6, 1, "lite", hour=0, term=12),),
        level=Level(calls=1_300, devices=16, stored=2_200, messages=610, growth=20),
    ),
    Customer(
        reference="yamabiko-audio",
        name="やまびこ音響株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="430-0099",
        address="静岡県浜松市中央区響町2-7",
        people=_team(("中島 司", "tsukasa"), ("前田 希", "nozomi"), ("藤井 蘭", "ran")),
        choices=(
            Choice(3, 9, "starter"),
            Choice(7, 9, "starter", term=12),
            Choice(8, 2, "support-business"),
        ),
        level=Level(calls=2_800, devices=35, stored=6_400, messages=1_700, growth=-30),
    ),
    Customer(
        reference="hoshizora-drone",
        name="星空ドローン株式会社",
        country="JP",
        currency="JPY",
        language=Language.JA,
        postal_code="880-0099",
        address="宮崎県宮崎市星空町7-1",
        pays=Pays.NOTHING,
        people=_team(("岡田 光", "hikaru"), ("藤田 奈々", "nana"), ("村上 陽", "haru")),
        choices=(
            Choice(LAST, 1, "starter", hour=0, term=1),
            Choice(LAST, 1, "support-basic", hour=0),
        ),
        level=Level(calls=2_600, devices=31, stored=3_700, messages=1_500),
    ),
)

LATE_EVENTS = (
    LateEvent("minato-logistics", month=10, day=27, meter="api_calls", quantity=640_000),
    LateEvent("minato-logistics", month=10, day=28, meter="api_calls", quantity=415_000),
    LateEvent("minato-logistics", month=10, day=28, meter="messages", quantity=90_000),
    LateEvent("momiji-facilities", month=9, day=15, meter="api_calls", quantity=-52_000),
    LateEvent("aoba-sensing", month=8, day=21, meter="active_devices", quantity=140, corrects=2),
)
