import pytest

from gateway_sandbox.paid.fields import CODES
from payments.gateways.paid import codes
from payments.gateways.paid.codes import Fault


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("B01", "b2bMemberId"),
        ("B04", "companyName"),
        ("B07", "companyNameKana"),
        ("B08", "representativeSei"),
        ("B15", "representativeMeiKana"),
        ("B18", "zipCode"),
        ("B21", "prefecture"),
        ("B23", "address1"),
        ("B25", "address2"),
        ("B26", "building"),
        ("B28", "clerkSei"),
        ("B34", "clerkMeiKana"),
        ("B37", "tel"),
        ("B39", "fax"),
        ("B41", "mobile"),
        ("B45", "email"),
        ("B47", "establishedYear"),
        ("B51", "annualSales"),
        ("B54", "dealingBrand"),
        ("B58", "url1"),
        ("B63", "pr"),
    ],
)
def test_each_code_names_its_field(code: str, field: str) -> None:
    assert codes.FIELD_OF[code] == field


def test_the_codes_of_fields_end_where_those_of_the_settings_begin() -> None:
    assert sorted(codes.FIELD_OF) == [f"B{number:02}" for number in range(1, 64)]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("A01", Fault.OURS),
        ("A02", Fault.MISCONFIGURED),
        ("A03", Fault.OURS),
        ("A04", Fault.OURS),
        ("B01", Fault.FORM),
        ("B63", Fault.FORM),
        ("B64", Fault.MISCONFIGURED),
        ("B65", Fault.MISCONFIGURED),
        ("B66", Fault.UNKNOWN),
        ("C01", Fault.DUPLICATE),
        ("C02", Fault.NO_SUCH_MEMBER),
        ("C03", Fault.UNKNOWN),
        ("D01", Fault.THEIRS),
        ("", Fault.UNKNOWN),
    ],
)
def test_each_code_says_whose_fault_it_is(code: str, fault: Fault) -> None:
    assert codes.fault_of(code) is fault


def test_the_gravest_code_decides() -> None:
    assert codes.gravest(["C01", "B04", "A02", "D01"]) == (Fault.MISCONFIGURED, "A02")
    assert codes.gravest(["C01", "B04"]) == (Fault.FORM, "B04")
    assert codes.gravest([]) == (Fault.UNKNOWN, "")


def test_fields_come_in_the_order_of_the_form_each_once() -> None:
    assert codes.fields_of(["B43", "B04", "B42", "C01", "B05"]) == ("companyName", "email")


def test_the_sandbox_numbers_its_codes_alike() -> None:
    assert {code: name for (name, _), code in CODES.items()} == codes.FIELD_OF
