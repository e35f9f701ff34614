"""Many ids for one statement, and names that are ours for ever."""

import base64
import secrets
from collections.abc import Iterable

KEY_LENGTH = 20


def array(ids: Iterable[int]) -> str:
    """Return ids as a database array's text, for `%(ids)s::bigint[]`.

    The driver writes a list element by element, at the cost of reading what it asks for.
    """
    return f"{{{','.join(map(str, ids))}}}"


def new_key() -> str:
    """Return a random name of 20 characters a–z and 2–7: 100 bits (ASVS 11.5.1).

    Safe in every place that another company may put it (gateways.md 3.2).
    """
    return base64.b32encode(secrets.token_bytes(13)).decode().lower()[:KEY_LENGTH]
