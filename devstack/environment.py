"""What the portal's processes find in their environment. A variable the user has set stays."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from devstack.gateways import without_users_own
from devstack.places import State, kept_secret

Mode = Literal["development", "test"]


def portal_environment(
    mode: Mode,
    *,
    database_url: str,
    redis_url: str,
    secret_key: str,
    origin: str,
    gateways: Mapping[str, str],
) -> dict[str, str]:
    """Return the whole environment of a portal process."""
    ours = {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "PORTAL_MODE": mode,
        "PORTAL_ORIGIN": origin,
        "REDIS_URL": redis_url,
        "SECRET_KEY": secret_key,
    }
    return ours | without_users_own(gateways) | dict(os.environ)


def origin_at(port: int) -> str:
    """Return the URL of a portal on this machine.

    By name, because a passkey cannot belong to a bare address.
    """
    return f"http://localhost:{port}"


def kept_key(state: State) -> str:
    """Return the secret key that goes with the kept data."""
    return kept_secret(state.folder / "secret-key")


def new_key() -> str:
    """Return a secret key for one command."""
    return secrets.token_urlsafe(48)


def demo_sign_ins(state: State) -> Path:
    """Return the file in which the demo data leave who can sign in."""
    return state.folder / "demo-signins.txt"
