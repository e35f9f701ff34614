"""How addresses and names are written that somebody typed or sent in a file. Pure."""

import re
import unicodedata

# Characters that are no text, and those that turn the direction of what follows them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def address(text: str) -> str:
    """Return an e-mail address in the one form that is kept: full-width letters are the same ones."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def plain(text: str) -> str:
    """Return a name on one line, without characters that are not seen and change how others are."""
    return " ".join(_UNSEEN.sub("", " ".join(text.split())).split())
