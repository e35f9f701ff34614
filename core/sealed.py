"""Secrets of ours that must be used again: kept encrypted, with a key made from SECRET_KEY.

A key that was exchanged still opens what it sealed while it stands in SECRET_KEY_FALLBACKS.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(ValueError):
    """It was sealed with a key that is not known any more."""


def seal(secret: str) -> bytes:
    """Return a secret as it may be stored."""
    return _keys().encrypt(secret.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """Return what `seal` was given. Raises Unreadable."""
    try:
        return _keys().decrypt(bytes(sealed)).decode()
    except InvalidToken as fault:
        raise Unreadable from fault


def _keys() -> MultiFernet:
    known = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(secret_key)) for secret_key in known])


def _derived(secret_key: str) -> bytes:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"core.sealed")
    return base64.urlsafe_b64encode(key.derive(secret_key.encode()))
