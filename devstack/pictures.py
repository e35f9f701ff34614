"""The README's pictures, taken from a running portal with demo data."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
ROOT_ACCOUNT = "emma@bluebird-robotics.example"
JAPANESE_ROOT_ACCOUNT = "hanako@aoba-sensing.example"
# Its spot contract ends in some days; another customer's order waits for its payment.
SPOT_ROOT_ACCOUNT = "kaede@tsumugi-events.example"
WAITING_ROOT_ACCOUNT = JAPANESE_ROOT_ACCOUNT
FLAGS = ["--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main(origin: str, sign_ins: Path) -> None:
    """Take every picture anew. Raises playwright's TimeoutError where a page is not as expected."""
    passwords = dict(_passwords(sign_ins))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=FLAGS + sandbox,
        )
        with _signed_in(browser, origin, ROOT_ACCOUNT, passwords) as page:
            _shoot(page, "usage", height=860)
            page.get_by_role("link", name="Orders and invoices").click()
            page.get_by_role("row").nth(1).get_by_role("link").first.click()
            _shoot(page, "invoice", height=900)
            page.locator("a[href$='/lines/3/']").click()
            _shoot(page, "line", height=900)
        with _signed_in(browser, origin, ROOT_ACCOUNT, passwords) as page:
            page.get_by_role("link", name="Plan & Payment Method").click()
            _shoot(page, "plan", height=1100)
            page.get_by_role("link", name="Change the licence plan").click()
            page.locator("input[name=plan]:not(:checked)").last.check()
            page.locator("form[method=post] button[type=submit]").last.click()
            page.wait_for_url("**/orders/**")
            _shoot(page, "review", height=1200)
        with _signed_in(browser, origin, SPOT_ROOT_ACCOUNT, passwords) as page:
            _contract(page)
        with _signed_in(browser, origin, WAITING_ROOT_ACCOUNT, passwords) as page:
            page.get_by_role("link", name="Orders and invoices").click()
            page.get_by_role("link", name="Pay now").first.click()
            page.wait_for_url("**/payment/")
            _shoot(page, "payment", height=1940)
        with _signed_in(browser, origin, JAPANESE_ROOT_ACCOUNT, passwords, "ja") as page:
            page.locator("nav a[href$='/invoices/']").click()
            page.get_by_role("row").nth(1).get_by_role("link").first.click()
            _document(page)
        with _signed_in(
            browser, origin, JAPANESE_ROOT_ACCOUNT, passwords, "ja", width=360, is_dark=True
        ) as page:
            _shoot(page, "usage-phone-dark", width=360, height=720)
        browser.close()


def _contract(page: Page) -> None:
    """Take a contract with its accounts over time, who leaves, an order, and what cancelling means."""
    page.get_by_role("link", name="Contract details").click()
    _shoot(page, "contract", height=1560)
    _part(page, "Accounts over time", "seats", height=440)
    page.get_by_role("link", name="Who leaves on which day, and who stays").click()
    _part(page, "In which order they leave", "leaving", height=900)
    page.get_by_role("link", name="Accounts", exact=True).click()
    _shoot(page, "accounts", height=1000)
    page.get_by_role("link", name="Paid Plan Order").click()
    page.get_by_role("link", name="Add Spot").first.click()
    _shoot(page, "spot", height=1560)
    page.get_by_role("link", name="Orders and invoices").click()
    page.get_by_role("link", name="Orders", exact=True).click()
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    _shoot(page, "completed", height=1200)
    page.get_by_role("link", name="Billing Information").click()
    page.get_by_role("link", name="Contract details").click()
    page.get_by_role("link", name="See what a cancellation means").click()
    _shoot(page, "cancellation", height=1560)


def _passwords(sign_ins: Path) -> Iterator[tuple[str, str]]:
    for line in sign_ins.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) > 2 and "@" in words[1]:
            yield words[1], words[2]


@contextmanager
def _signed_in(
    browser: Browser,
    origin: str,
    email: str,
    passwords: dict[str, str],
    language: str = "en",
    *,
    width: int = 1200,
    is_dark: bool = False,
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=origin,
        locale=language,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if is_dark else "light",
    )
    page = context.new_page()
    page.goto("/account/login/")
    page.locator("input[name=login]").fill(email)
    page.locator("input[name=password]").fill(passwords[email])
    page.locator("input[name=password]").press("Enter")
    page.wait_for_url("**/usage/**")
    yield page
    context.close()


def _shoot(page: Page, name: str, *, width: int = 1200, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.screenshot(path=FOLDER / f"{name}.png")
    print(f"{name}.png")


def _part(page: Page, heading: str, name: str, *, height: int) -> None:
    """Take what is below a heading of a page."""
    page.set_viewport_size({"width": 1200, "height": height})
    page.get_by_role("heading", name=heading).evaluate("each => each.scrollIntoView()")
    page.screenshot(path=FOLDER / f"{name}.png")
    print(f"{name}.png")


def _document(page: Page) -> None:
    ask = page.locator("form#document button")
    if ask.count():
        ask.click()
    with page.expect_download(timeout=60_000) as download:
        page.locator("#document a[download]").click(timeout=60_000)
    with tempfile.TemporaryDirectory() as folder:
        pdf = Path(folder, "invoice.pdf")
        download.value.save_as(pdf)
        call = ["pdftoppm", "-r", "90", "-png", "-singlefile", str(pdf), str(FOLDER / "document")]
        subprocess.run(call, check=True)
    print("document.png")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
