"""One way to write a value as bytes, so that a digest proves it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import orjson

# JSON that was written by `dumps` before, to be taken over as it is.
Written = orjson.Fragment
Json: TypeAlias = "str | int | bool | None | list[Json] | dict[str, Json]"
# Canonical JSON that may hold such pieces.
Composed: TypeAlias = "Json | Written | Sequence[Composed] | Mapping[str, Composed]"


def dumps(value: Composed) -> bytes:
    """Return `value` as JSON with sorted keys and no blanks. Decimals are given as strings: no floats."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Composed) -> bytes:
    """Return the SHA-256 (32 bytes) of the canonical JSON of `value`."""
    return hashlib.sha256(dumps(value)).digest()
