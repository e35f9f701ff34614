"""The registration number of a qualified invoice issuer. Rule: japan.md, qualified invoice."""

import re

_FORM = re.compile(r"T[0-9]{13}")


def has_form(number: str) -> bool:
    """Return whether `number` is written as T and thirteen digits."""
    return _FORM.fullmatch(number) is not None


def check_digit(digits: str) -> int:
    """Return the first digit of the corporate number whose other twelve are `digits`.

    From the right, the digits weigh 1 and 2 in turn; what their sum lacks to a multiple of nine
    (never 0) is the check digit. Rule: japan.md, qualified invoice.
    """
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return 9 - total % 9


def is_company(number: str) -> bool:
    """Return whether `number` has the form and the check digit of a company's."""
    return has_form(number) and int(number[1]) == check_digit(number[2:])
