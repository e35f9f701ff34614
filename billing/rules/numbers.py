"""How an invoice's number is written."""

DIGITS = 8


def written(prefix: str, number: int) -> str:
    """Return the number as it is printed and searched for: INV-00000123. Rule: B-09."""
    return f"{prefix}{number:0{DIGITS}d}"


def parse(typed: str, prefix: str) -> int | None:
    """Return the number that somebody typed, with or without prefix and zeros; None if it is none.

    Numbers beyond what a database column holds are none.
    """
    digits = typed.strip().upper().removeprefix(prefix.upper())
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return None
    return int(digits)
