"""Settings from the environment: read once, typed; a missing one stops the start."""

import os
import urllib.parse
from typing import Any
from urllib.parse import SplitResult

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return the variable `name`. Raises ImproperlyConfigured where it is missing without default."""
    value = os.environ.get(name, default)
    if not value and default is None:
        raise ImproperlyConfigured(f"Set the environment variable {name} (docs/operations.md).")
    return value or ""


def number(name: str, default: int, *, least: int = 0) -> int:
    """Return the whole number in the variable `name`, which is not below `least`."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdecimal()) or int(value) < least:
        raise ImproperlyConfigured(f"{name} is a whole number from {least} on, not {value!r}.")
    return int(value)


def origin(name: str) -> SplitResult:
    """Return the origin in the variable `name`: scheme, host and port, and nothing more."""
    value = text(name)
    url = urllib.parse.urlsplit(value)
    if url.hostname is None or "@" in url.netloc or value != f"{url.scheme}://{url.netloc}":
        raise ImproperlyConfigured(
            f"{name} is an address like https://billing.example.com, without a path or a last slash."
        )
    return url


def words(name: str, default: str = "") -> list[str]:
    """Return the comma-separated parts of the variable `name`."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def pairs(name: str) -> dict[str, str]:
    """Return the comma-separated `key=value` parts of the variable `name`."""
    found = dict(part.partition("=")[::2] for part in words(name))
    if not all(key and value for key, value in found.items()):
        raise ImproperlyConfigured(f"{name} is a list like key=value,key=value.")
    return found


def database(name: str) -> dict[str, Any]:
    """Return Django's settings for the PostgreSQL URL in the variable `name`."""
    url = urllib.parse.urlsplit(text(name))
    if url.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name} is a postgresql:// URL.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": urllib.parse.unquote(url.path.lstrip("/")),
        "USER": urllib.parse.unquote(url.username or ""),
        "PASSWORD": urllib.parse.unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": dict(urllib.parse.parse_qsl(url.query)),
    }
