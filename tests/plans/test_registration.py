import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.rules import registration


@pytest.mark.parametrize(
    ("number", "is_company"),
    [
        pytest.param("T7000012050002", True, id="the National Tax Agency's own number"),
        pytest.param("T9999901000123", True, id="the demo vendor"),
        pytest.param("T7000012050003", False, id="another last digit"),
        pytest.param("T7000012050020", False, id="two digits changed places"),
        pytest.param("T8000012050002", False, id="another check digit"),
        pytest.param("T700001205000", False, id="twelve digits"),
        pytest.param("T70000120500022", False, id="fourteen digits"),
        pytest.param("7000012050002", False, id="without T"),
        pytest.param("t7000012050002", False, id="small t"),
        pytest.param("T７０００01205000２", False, id="full-width digits"),
        pytest.param("T7000012050002\n", False, id="a line break"),
    ],
)
def test_is_company_checks_form_and_check_digit(number: str, is_company: bool) -> None:
    assert registration.is_company(number) is is_company


@given(digits=st.text("0123456789", min_size=12, max_size=12), at=st.integers(0, 11))
def test_check_digit_is_never_zero_and_notices_a_changed_digit(digits: str, at: int) -> None:
    expected = registration.check_digit(digits)
    other = str((int(digits[at]) + 1) % 10)
    changed = digits[:at] + other + digits[at + 1 :]

    assert 1 <= expected <= 9
    # 0 and 9 weigh the same modulo nine: the one slip that the law's digit does not notice.
    assert (registration.check_digit(changed) != expected) or {digits[at], other} == {"0", "9"}
