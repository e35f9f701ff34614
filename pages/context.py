"""What the base template shows on every page; costs a root one statement, others none."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.access import Access
from accounts.enums import Role
from accounts.models import Membership, User
from core import clock
from core.months import last_day
from core.templatetags import writing
from pages.queries import Standing
from payments.queries import payables
from payments.queries.payables import Owed
from plans import queries as plans

# Name of the page, its label, and how the names of the pages that belong to it begin.
TOP_MENU = (
    ("usage", _("Billing Information"), ("usage", "plan", "payment_method", "contract")),
    ("order", _("Paid Plan Order"), ("order",)),
    ("accounts", _("Accounts"), ("account",)),
    ("invoices", _("Orders and invoices"), ("invoice", "receipt")),
)
BILLING_TABS = (
    ("usage", _("Usage")),
    ("plan", _("Plan & Payment Method")),
    ("contract", _("Contract details")),
)
LIST_TABS = (
    ("invoices", _("Invoices and credit notes")),
    ("invoice_orders", pgettext_lazy("list", "Orders")),
)

_LIST = "invoices"

# How the names of the pages of a tab begin, where a room below shows it.
_OF_TAB = {"plan": ("plan", "payment_method"), "contract": ("contract",)}


@dataclass(frozen=True, slots=True)
class Item:
    """A link of a menu or a tab."""

    label: str
    url: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Overdue:
    """That an organisation is late, and where it pays. Rule: B-14."""

    text: str
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Ending:
    """That the contract ends, or has ended, and where the root sees what that means. Rule: S1-29."""

    text: str
    url: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds a page: names, menus, and where the language switch returns to."""

    vendor: str
    support_url: str
    here: str
    organisation: str = ""
    switch_url: str = ""
    user_name: str = ""
    user_email: str = ""
    menu: tuple[Item, ...] = ()
    tabs: tuple[Item, ...] = ()
    user_menu: tuple[Item, ...] = ()
    overdue: tuple[Overdue, ...] = ()
    ending: tuple[Ending, ...] = ()


def portal(request: HttpRequest) -> dict[str, Any]:
    """Return `portal`, the frame of the page that is being answered."""
    return {"portal": _frame(request)}


def billing_tabs(membership: Membership, current: str) -> list[Item]:
    """Return the tabs of Billing Information that the membership's role may open. Rule: S1-07."""
    return [
        Item(str(label), _page_of(membership, name), name == current)
        for name, label in BILLING_TABS
        if _may_open(membership, name)
    ]


def list_tabs(membership: Membership, current: str) -> list[Item]:
    """Return the tabs of Orders and invoices. Rule: S2-26."""
    return [
        Item(str(label), _page_of(membership, name), name == current) for name, label in LIST_TABS
    ]


def _frame(request: HttpRequest) -> Frame:
    vendor, support_url = _vendor()
    membership: Membership | None = getattr(request, "membership", None)
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Frame(vendor=vendor, support_url=support_url, here=request.get_full_path())
    return Frame(
        vendor=vendor,
        support_url=support_url,
        here=request.get_full_path(),
        organisation=membership.organisation.name if membership else "",
        switch_url=reverse("home") if getattr(membership, "is_one_of_several", False) else "",
        user_name=user.name or user.email,
        user_email=user.email,
        menu=_top_menu(request, membership) if membership else (),
        tabs=_tabs(request, membership) if membership else (),
        user_menu=_user_menu(user),
        overdue=_overdue(request, membership) if membership else (),
        ending=_ending(request, membership) if membership else (),
    )


def _vendor() -> tuple[str, str]:
    try:
        vendor = plans.vendor_for_pages()
    except plans.NoVendor:
        return "", ""
    return vendor.name_ja if get_language() == "ja" else vendor.name_en, vendor.support_url


def _top_menu(request: HttpRequest, membership: Membership) -> tuple[Item, ...]:
    here = request.resolver_match.view_name if request.resolver_match else ""
    return tuple(
        Item(str(label), _page_of(membership, name), here.startswith(belonging))
        for name, label, belonging in TOP_MENU
        if _may_open(membership, name)
    )


def _overdue(request: HttpRequest, membership: Membership) -> tuple[Overdue, ...]:
    """Return what a root is told on every page but the list, which opens with it, and parts of pages."""
    here = request.resolver_match.view_name if request.resolver_match else ""
    if membership.role != Role.ROOT or here == _LIST or request.headers.get("HX-Request"):
        return ()
    zone = plans.zone_for_pages()
    url = f"{_page_of(membership, _LIST)}?{urlencode({'payment': Standing.OVERDUE.value})}"
    return tuple(
        Overdue(
            text=_late(each, zone, is_over=_is_over(membership)),
            url=url,
            label=gettext("See what is overdue"),
        )
        for each in payables.owed_by(membership.organisation)
        if each.overdue_since
    )


def _ending(request: HttpRequest, membership: Membership) -> tuple[Ending, ...]:
    """Return the last day of a contract that is cancelled: on every page, from the confirmation on."""
    closed_on = membership.organisation.closed_on
    if closed_on is None or request.headers.get("HX-Request"):
        return ()
    last = writing.day(last_day(closed_on))
    text = (
        gettext("Your contract ended with %(day)s. Invoices stay readable.")
        if _is_over(membership)
        else gettext("Your contract ends on %(day)s. Until then everything works as before.")
    ) % {"day": last}
    if membership.role != Role.ROOT:
        return (Ending(text),)
    url = f"{_page_of(membership, 'contract')}#cancellation"
    return (Ending(text, url, gettext("Contract details")),)


def _is_over(membership: Membership) -> bool:
    """Return whether the contract's last day is over."""
    closed_on = membership.organisation.closed_on
    today = clock.now().astimezone(plans.zone_for_pages()).date()
    return closed_on is not None and closed_on <= today


def _late(owed: Owed, zone: ZoneInfo, *, is_over: bool) -> str:
    if owed.overdue_since is None:
        return ""
    text = (
        gettext(
            "%(amount)s is overdue since %(day)s. It stays due, though your contract has ended."
        )
        if is_over
        else gettext(
            "%(amount)s is overdue since %(day)s. Until it is paid, spot orders and plan upgrades are"
            " not possible; your service goes on."
        )
    )
    return text % {
        "amount": writing.money_in_text(owed.overdue, owed.currency),
        "day": writing.day(owed.overdue_since.astimezone(zone).date()),
    }


def _tabs(request: HttpRequest, membership: Membership) -> tuple[Item, ...]:
    """Return the tabs for the pages of rooms below, which know no tab but their own."""
    here = request.resolver_match.view_name if request.resolver_match else ""
    current = next((name for name, pages in _OF_TAB.items() if here.startswith(pages)), "")
    return tuple(billing_tabs(membership, current)) if current else ()


def _user_menu(user: User) -> tuple[Item, ...]:
    items = [
        Item(str(_("Your organisations")), reverse("home")),
        Item(str(_("Change your password")), reverse("account_change_password")),
        Item(str(_("Your e-mail addresses")), reverse("account_email")),
    ]
    if user.is_staff:
        items.append(Item(str(_("Back office")), reverse("admin:index")))
        # Where mails reach people they are not read here.
        if not settings.PRODUCTION:
            items.append(Item(str(_("Mails")), reverse("mails")))
    return tuple(items)


def _may_open(membership: Membership, name: str) -> bool:
    access = _matrix().get(name)
    return access is not None and membership.role in access.roles


def _page_of(membership: Membership, name: str) -> str:
    return reverse(name, kwargs={"organisation": membership.organisation.public_id})


@lru_cache(maxsize=1)
def _matrix() -> dict[str, Access]:
    found: dict[str, Access] = import_string(settings.PORTAL_ACCESS)
    return found
