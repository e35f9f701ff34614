"""The form for Paid: limits of gateways.md 3.2, what is written alike, what is refused."""

import itertools

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways.paid.form import PROFILE, faulty_fields
from payments.rules.profile import PREFECTURES, normalised

PROFILE_OF_A_COMPANY = {
    "companyName": "株式会社あおぞら",
    "companyNameKana": "カブシキガイシャアオゾラ",
    "url1": "https://aozora.example.jp/",
    "representativeSei": "青空",
    "representativeMei": "太郎",
    "representativeSeiKana": "アオゾラ",
    "representativeMeiKana": "タロウ",
    "zipCode": "103-0014",
    "prefecture": "東京都",
    "address1": "中央区",
    "address2": "日本橋蛎殻町1-18-11",
    "building": "あおぞらビル3階",
    "clerkSei": "山田",
    "clerkMei": "花子",
    "clerkSeiKana": "ヤマダ",
    "clerkMeiKana": "ハナコ",
    "tel": "03-1234-5678",
    "mobile": "090-1234-5678",
    "fax": "03-1234-5679",
    "email": "keiri@aozora.example.jp",
}
OPTIONAL = {"building", "fax", "mobile", "url1"}


def test_the_form_asks_for_what_paid_requires_and_a_little_more() -> None:
    assert {field.name for field in PROFILE} == set(PROFILE_OF_A_COMPANY)
    assert {field.name for field in PROFILE if not field.required} == OPTIONAL


def test_fields_of_a_section_stand_together() -> None:
    sections = [section for section, _ in itertools.groupby(field.section for field in PROFILE)]

    assert len(sections) == len(set(sections))
    assert "" not in sections


def test_there_are_47_prefectures_from_north_to_south() -> None:
    assert len(set(PREFECTURES)) == 47
    assert (PREFECTURES[0], PREFECTURES[12], PREFECTURES[46]) == ("北海道", "東京都", "沖縄県")


def test_a_company_that_fills_in_everything_passes() -> None:
    assert faulty_fields(PROFILE_OF_A_COMPANY) == ()


@pytest.mark.parametrize("name", sorted(PROFILE_OF_A_COMPANY))
def test_only_what_is_optional_may_be_left_out(name: str) -> None:
    without = PROFILE_OF_A_COMPANY | {name: ""}

    assert faulty_fields(without) == (() if name in OPTIONAL else (name,))


_TEXTS = [
    "companyName",
    "representativeSei",
    "representativeMei",
    "address1",
    "address2",
    "building",
    "clerkSei",
    "clerkMei",
]
_KANA = [name for name in sorted(PROFILE_OF_A_COMPANY) if name.endswith("Kana")]
_NUMBERS = ["tel", "fax", "mobile"]


@pytest.mark.parametrize(
    ("name", "longest", "one_over"),
    [
        *[pytest.param(name, "あ" * 50, "あ" * 51, id=name) for name in _TEXTS],
        *[pytest.param(name, "カ" * 50, "カ" * 51, id=name) for name in _KANA],
        *[pytest.param(name, "03-" + "1" * 22, "03-" + "1" * 23, id=name) for name in _NUMBERS],
        pytest.param("zipCode", "103-0014", "103-00144", id="zipCode"),
        pytest.param("email", "a" * 91 + "@ex.co.jp", "a" * 92 + "@ex.co.jp", id="email"),
        pytest.param("url1", "https://e.jp/" + "a" * 187, "https://e.jp/" + "a" * 188, id="url1"),
    ],
)
def test_a_field_takes_its_limit_and_not_one_more(name: str, longest: str, one_over: str) -> None:
    assert faulty_fields(PROFILE_OF_A_COMPANY | {name: longest}) == ()
    assert faulty_fields(PROFILE_OF_A_COMPANY | {name: one_over}) == (name,)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("companyNameKana", "青空", id="kanji for kana"),
        pytest.param("companyNameKana", "アオゾラ3", id="a digit in kana"),
        pytest.param("companyNameKana", "ー" * 51, id="too many marks"),
        pytest.param("companyNameKana", " ", id="a blank alone"),
        pytest.param("clerkSeiKana", "Yamada", id="letters for kana"),
        pytest.param("zipCode", "1030-014", id="hyphen at the wrong place"),
        pytest.param("zipCode", "103-001", id="a digit short"),
        pytest.param("zipCode", "١٠٣-٠٠١٤", id="digits of another script"),
        pytest.param("tel", "0312345678", id="no hyphens"),
        pytest.param("tel", "3-1234-5678", id="no zero"),
        pytest.param("tel", "03-1234-5678 ext", id="more than a number"),
        pytest.param("tel", "03--1234", id="two hyphens"),
        pytest.param("prefecture", "東京", id="a prefecture cut short"),
        pytest.param("prefecture", "California", id="not in Japan"),
        pytest.param("email", "keiri@aozora", id="no domain"),
        pytest.param("email", "keiri@aozora.jp\nBcc: x@y.jp", id="a second line"),
        pytest.param("email", "a b@aozora.jp", id="a blank"),
        pytest.param("url1", "aozora.example.jp", id="no scheme"),
        pytest.param("url1", "javascript:alert(1)", id="another scheme"),
        pytest.param("companyName", "あお\x00ぞら", id="a control character"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_its_field(name: str, text: str) -> None:
    assert faulty_fields(PROFILE_OF_A_COMPANY | {name: text}) == (name,)


@pytest.mark.parametrize(
    ("name", "typed", "written"),
    [
        pytest.param("tel", "０３－１２３４－５６７８", "03-1234-5678", id="full-width number"),
        pytest.param("tel", "03ー1234ー5678", "03-1234-5678", id="long-vowel marks"),
        pytest.param("tel", "03ｰ1234ｰ5678", "03-1234-5678", id="half-width long-vowel marks"),
        pytest.param("tel", "03−1234―5678", "03-1234-5678", id="minus and dash"),
        pytest.param("tel", "03(1234)5678", "03-1234-5678", id="brackets"),
        pytest.param(
            "tel", "（０３）１２３４－５６７８", "03-1234-5678", id="full-width brackets first"
        ),
        pytest.param("tel", " 03 1234 5678 ", "03-1234-5678", id="blanks"),
        pytest.param("tel", "0312345678", "0312345678", id="nobody knows where to part it"),
        pytest.param("zipCode", "〒１０３－００１４", "103-0014", id="postal mark"),
        pytest.param("zipCode", "1030014", "103-0014", id="postal code without a hyphen"),
        pytest.param("zipCode", "103001", "103001", id="a digit short stays"),
        pytest.param("companyNameKana", "ｶﾌﾞｼｷｶﾞｲｼｬ", "カブシキガイシャ", id="half-width kana"),
        pytest.param("clerkSeiKana", "やまだ", "ヤマダ", id="hiragana"),
        pytest.param("clerkMeiKana", " ハナ コ ", "ハナ コ", id="blanks at the ends of kana"),
        pytest.param(
            "email", "ｋｅｉｒｉ＠ａｏｚｏｒａ．ｊｐ", "keiri@aozora.jp", id="full-width mail"
        ),
        pytest.param(
            "companyName", " ㈱あおぞらＡＢＣ ", "㈱あおぞらＡＢＣ", id="a name stays as it is"
        ),
        pytest.param("address2", "１－２－３", "１－２－３", id="an address stays as it is"),
    ],
)
def test_normalised_writes_alike_what_means_the_same(name: str, typed: str, written: str) -> None:
    assert normalised({name: typed}) == {name: written}


@given(text=st.text(max_size=60), name=st.sampled_from(sorted(PROFILE_OF_A_COMPANY)))
def test_normalised_twice_is_normalised_once(text: str, name: str) -> None:
    once = normalised({name: text})

    assert normalised(once) == once


def test_every_text_of_the_form_has_its_japanese() -> None:
    japanese = (settings.BASE_DIR / "locale" / "ja" / "LC_MESSAGES" / "django.po").read_text()
    texts = {
        text
        for field in PROFILE
        for text in (field.label, field.help, field.hint, field.section)
        if text
    }

    assert [text for text in sorted(texts) if f'msgid "{text}"' not in japanese] == []
