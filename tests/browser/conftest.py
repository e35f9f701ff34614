"""A real Chromium on the portal. Whatever a page does, it may not stumble and not look elsewhere."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request
from pytest_django.live_server_helper import LiveServer

from accounts.models import User

# Playwright keeps an event loop in this thread, which Django would take for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_CHROMIUMS = ["chromium", "chromium-browser", "google-chrome"]
_ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

Open = Callable[..., Page]


@dataclass
class Watch:
    """What went wrong in the pages of a test: words on the console, requests to elsewhere."""

    origin: str
    also: str = ""  # where a payer is led to, as a page of its own
    faults: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        # A page that is refused on purpose says so on the console too.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        asked = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme in {"data", "blob"} or asked == self.origin:
            return
        if asked == self.also and (request.is_navigation_request() or _is_of(request, asked)):
            return
        self.faults.append(f"asked {request.url}")


def _is_of(request: Request, origin: str) -> bool:
    """Return whether a page of this origin itself asks."""
    return request.frame.url.startswith(f"{origin}/")


def _chromium() -> str:
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, _CHROMIUMS)), None)
    if found is None and Path(_ON_A_MAC).exists():
        found = _ON_A_MAC
    if found is None:
        pytest.fail("No Chromium: install it (Debian: apt install chromium) or set CHROMIUM.")
    return found


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    sandbox = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    return {"executable_path": _chromium(), "args": [*_FLAGS, *sandbox]}


@pytest.fixture
def watch(live_server: LiveServer) -> Iterator[Watch]:
    watch = Watch(live_server.url)
    yield watch
    assert watch.faults == []


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer, watch: Watch) -> Iterator[Open]:
    """Return a function that opens a path in a browser of its own, signed in as a user or not."""
    contexts: list[BrowserContext] = []

    def open_page(
        path: str,
        *,
        user: User | None = None,
        language: str = "en",
        width: int = 1280,
        dark: bool = False,
        scripts: bool = True,
    ) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            locale=language,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        contexts.append(context)
        if user is not None:
            _sign_in(context, user, live_server.url)
        page = context.new_page()
        page.set_default_timeout(10_000)
        watch.over(page)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def _sign_in(context: BrowserContext, user: User, origin: str) -> None:
    client = Client()
    client.force_login(user)
    context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                "url": origin,
            }
        ]
    )
