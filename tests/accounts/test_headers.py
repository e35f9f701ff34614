import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http.response import HttpResponseBase
from django.test import Client

from tests import make

pytestmark = pytest.mark.django_db

CSP = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    " ".join(["form-action 'self'", *settings.APPROVAL_ORIGINS]),
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
_PRINT = """
import json
from billing_portal import settings
names = [name for name in dir(settings) if name.isupper()]
print(json.dumps({name: getattr(settings, name) for name in names}, default=str))
"""


def _get(path: str) -> HttpResponseBase:
    make.vendor()
    client = Client()
    client.force_login(make.member(make.organisation()).user)
    return client.get(path, follow=True)


def test_pages_bring_the_headers_that_keep_others_out() -> None:
    headers = _get("/").headers

    assert set(headers["Content-Security-Policy"].split("; ")) == CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


@pytest.mark.parametrize("path", ["/", "/account/email/", "/nothing-here/"])
def test_nothing_shown_to_who_is_signed_in_is_stored(path: str) -> None:
    assert _get(path).headers["Cache-Control"] == "no-store, private"


def test_pages_for_anybody_bring_them_too() -> None:
    headers = Client().get("/account/login/").headers

    assert set(headers["Content-Security-Policy"].split("; ")) == CSP
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in headers["Cache-Control"]


def test_a_fault_of_ours_tells_a_reference_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False, headers={"accept-language": "en"})

    def broken(*_args: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("core.views.work.oldest_due_at", broken)
    answer = client.get("/healthz")

    page = answer.content.decode()
    reference = next(
        record.__dict__["reference"] for record in caplog.records if "reference" in record.__dict__
    )
    assert answer.status_code == 500
    assert "Something went wrong on our side" in page
    assert reference in page
    assert "secret" not in page


def _production(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PRINT],
        capture_output=True,
        text=True,
        check=False,
        cwd=settings.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "PORTAL_MODE": "production",
            "SECRET_KEY": "a" * 60,
            "PORTAL_ORIGIN": "https://billing.example.com",
            "DATABASE_URL": "postgresql://portal@127.0.0.1/portal",
            "REDIS_URL": "redis://127.0.0.1:6379/0",
            "SMTP_HOST": "mail.example.com",
            **environment,
        },
    )


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_production().stdout)
    return found


def test_cookies_in_production_are_bound_to_the_host_and_to_tls(production: dict[str, Any]) -> None:
    assert production["SESSION_COOKIE_NAME"] == "__Host-session"
    assert production["CSRF_COOKIE_NAME"] == "__Host-csrf"
    for cookie in ("SESSION", "CSRF", "LANGUAGE"):
        assert production[f"{cookie}_COOKIE_SECURE"] is True
        assert production[f"{cookie}_COOKIE_HTTPONLY"] is True
        assert production[f"{cookie}_COOKIE_SAMESITE"] == "Lax"
        # A `__Host-` cookie has no domain and the path "/".
        assert production.get(f"{cookie}_COOKIE_DOMAIN") is None
        assert production.get(f"{cookie}_COOKIE_PATH", "/") == "/"


def test_production_speaks_tls_alone_and_shows_no_debug_page(production: dict[str, Any]) -> None:
    assert production["DEBUG"] is False
    assert production["SECURE_SSL_REDIRECT"] is True
    assert production["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert production["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True
    assert production["ACCOUNT_RATE_LIMITS"] == {}
    assert production["PASSWORD_HASHERS"][0].endswith("Argon2PasswordHasher")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("PORTAL_ORIGIN", "http://billing.example.com"),
        ("SMTP_HOST", ""),
        ("DATABASE_URL", ""),
        ("SECRET_KEY", "short"),
        ("PORTAL_ORIGIN", "https://billing.example.com/"),
        ("PORTAL_ORIGIN", "https://somebody@billing.example.com"),
        ("ALLOWED_HOSTS", "*"),
        # Billed before its end, a month would lack its last days.
        ("BILLING_GRACE_HOURS", "-48"),
        ("BILLING_PAGE", "0"),
    ],
)
def test_production_does_not_start_without_what_it_needs(name: str, value: str) -> None:
    assert _production(**{name: value}).returncode != 0


def test_no_page_names_a_foreign_origin() -> None:
    templates = Path(settings.BASE_DIR, "templates").rglob("*.html")
    sheets = Path(settings.BASE_DIR, "static").rglob("*.css")

    named = [
        str(path)
        for path in (*templates, *sheets)
        if any(
            sign in path.read_text() for sign in ('src="http', 'href="http', "url(http", "@import")
        )
    ]
    assert named == []
