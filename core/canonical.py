"""One way to write a value as bytes, so that a digest proves it."""

import hashlib
from typing import TypeAlias

import orjson

Json: TypeAlias = "str | int | bool | None | list[Json] | dict[str, Json]"


def dumps(value: Json) -> bytes:
    """Return `value` as JSON with sorted keys and no blanks. Decimals are given as strings: no floats."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Json) -> bytes:
    """Return the SHA-256 (32 bytes) of the canonical JSON of `value`."""
    return hashlib.sha256(dumps(value)).digest()
