"""By which number a payment is known to the provider. Rule: F06, gateways.md 4.2."""

import re
from typing import NamedTuple

_AGAIN = re.compile(r"(.+)-([1-9]\d{0,3})", re.ASCII)


class Told(NamedTuple):
    """A document's number, and which of its payments is meant."""

    number: str
    turn: int


def told(number: str, turn: int) -> str:
    """Return the number that a provider is given for a payment: the document's, of later ones KC-00000012-2.

    A provider that has taken a number refuses it from then on, also where the money went back; an attempt
    that follows one that took nothing, as far as we know, has that one's number, and is refused if it did.
    """
    return number if turn == 1 else f"{number}-{turn}"


def read(text: str) -> tuple[Told, ...]:
    """Return what a number may mean that a provider or a person tells, the likeliest first."""
    again = _AGAIN.fullmatch(text)
    whole = Told(text, 1)
    return (whole,) if again is None else (whole, Told(again[1], int(again[2])))
