"""Accounts > who leaves on which day, and the root's choice of who stays. Rule: design.md 6.5, S2-10."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from core import clock
from core.months import start_of_day
from ordering.forms.leaving import Leaving
from ordering.queries import positions
from ordering.queries.positions import Position
from ordering.views import leaving_shown as shown
from ordering.views import seat_timeline
from ordering.views.leaving_shown import Page
from ordering.views.seat_timeline import TimelineShown
from seats.queries import leaving
from seats.queries.capacity import capacity
from seats.queries.leaving import Part
from seats.rules.capacity import Capacity
from seats.rules.seat_timeline import with_limit, with_wish
from seats.services import choices

# Nothing is contracted further ahead than that.
_AHEAD = timedelta(days=5 * 366)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def who_leaves(request: PortalRequest) -> HttpResponse:
    """List who leaves on which day; by POST, change the root's choice. Rule: design.md 6.5."""
    if request.method == "POST":
        return _choose(request)
    found = _read(request)
    outlook, form = found.outlook, found.form
    number = _number(request.GET.get("page"))
    listed = leaving.listed(
        request.organisation,
        outlook.found,
        text=form.text,
        part=form.shown_part,
        number=number,
    )
    if number > 1 and not listed.rows:
        return redirect(f"{request.path}?{form.query()}")
    paginator = Paginator(range(listed.count), leaving.PAGE)
    query = form.query()
    protected, first = leaving.chosen_counts(request.organisation)
    context = {
        "organisation": request.organisation,
        "form": form,
        "opening": shown.opening(found),
        "lines": shown.lines(found),
        "preview": shown.preview(found),
        "departures": [shown.departure(each, found) for each in outlook.found],
        "protected": shown.protected(found) if protected else "",
        "rows": [shown.row(each, found) for each in listed.rows],
        "page": paginator.get_page(number),
        "query": f"{query}&" if query else "",
        "here": f"{request.path}?{query}" if query else request.path,
        "zone": found.zone.key,
        "seen": leaving.version(request.organisation.pk),
        "has_choice": bool(protected or first),
        "is_searched": bool(form.text) or form.shown_part is not Part.ALL,
        "all_url": f"{request.path}?{form.query(preview_only=True)}",
        "timeline": _timeline(found),
        "is_limited": not shown.is_unlimited(found),
    }
    return render(request, "ordering/leaving.html", context)


def _read(request: PortalRequest) -> Page:
    now = clock.now()
    position = positions.position(request.organisation, now=now)
    form = Leaving(request.GET)
    changed = _changed(form, position)
    outlook = leaving.outlook(request.organisation, now=now, capacity=changed)
    return Page(form, position, outlook, changed is not None)


def _changed(form: Leaving, position: Position) -> Capacity | None:
    """Return what would be allowed with what the list is a preview of; None where it is of none."""
    zone = position.zone
    until = position.today + _AHEAD
    if form.wish is not None and position.today <= form.wish.first_on < until:
        return with_wish(capacity(position.organisation), form.wish, zone)
    if form.limit is not None:
        allowed, from_on = form.limit
        if position.today < from_on < until:
            known = capacity(position.organisation)
            return with_limit(known, allowed, start_of_day(from_on, zone))
    return None


def _number(written: str | None) -> int:
    if written is None or not written.isascii() or not written.isdigit():
        return 1
    return max(1, min(int(written[:9]), 10**6))


def _timeline(found: Page) -> TimelineShown:
    return seat_timeline.shown(
        found.position.organisation,
        now=found.position.market.now,
        capacity=found.outlook.capacity,
    )


def _choose(request: PortalRequest) -> HttpResponse:
    """Carry out what a button says, and show the list with its effect."""
    form = Leaving(request.GET)
    page = _number(request.GET.get("page"))
    query = form.query() + (f"&page={page}" if page > 1 else "")
    here = f"{request.path}?{query}" if query else request.path
    act, seen = request.POST.get("act", ""), request.POST.get("seen", "")
    try:
        if act == "reset":
            _reset(request, seen)
            return redirect(here)
        account = UUID(request.POST.get("account", ""))
        said = _ACTS[act](request, account, seen)
    except (ValueError, KeyError) as wrong:
        raise Http404 from wrong
    except choices.NotThere:
        messages.info(request, _("This account is not active any more; nothing was changed."))
    except choices.RootStays:
        messages.info(request, _("The root account always stays; there is nothing to choose."))
    except choices.ShownDifferently:
        text = _(
            "The order was changed meanwhile, in another window say. Nothing was changed now: look at"
            " the list again."
        )
        messages.warning(request, text)
    else:
        messages.success(request, said)
        return redirect(f"{here}#a-{account}")
    return redirect(here)


def _protect(request: PortalRequest, account: UUID, seen: str) -> str:
    is_new = choices.protect(**_by(request), account=account)
    if is_new:
        return _("Protected: it stays as long as there is room.")
    return _("It was protected already.")


def _first(request: PortalRequest, account: UUID, seen: str) -> str:
    is_new = choices.let_go_first(**_by(request), account=account)
    return _("It now leaves before all others.") if is_new else _("It was so already.")


def _up(request: PortalRequest, account: UUID, seen: str) -> str:
    return _moved(choices.move(**_by(request), account=account, by=-1, seen=seen))


def _down(request: PortalRequest, account: UUID, seen: str) -> str:
    return _moved(choices.move(**_by(request), account=account, by=1, seen=seen))


def _moved(is_moved: bool) -> str:
    return _("The order is changed.") if is_moved else _("There is no place further that way.")


def _rule(request: PortalRequest, account: UUID, seen: str) -> str:
    is_new = choices.follow_rule(**_by(request), account=account)
    return _("It follows the rule again.") if is_new else _("It was so already.")


def _reset(request: PortalRequest, seen: str) -> None:
    count = choices.reset(**_by(request), seen=seen)
    text = ngettext(
        "Your choice for %(count)s account is taken back: the newest leave first.",
        "Your choice for %(count)s accounts is taken back: the newest leave first.",
        count,
    ) % {"count": f"{count:,}"}
    messages.success(request, text if count else _("Nothing was chosen."))


class _By(TypedDict):
    organisation_id: int
    actor: str
    now: datetime


def _by(request: PortalRequest) -> _By:
    return {
        "organisation_id": request.organisation.pk,
        "actor": f"user:{request.user.pk}",
        "now": clock.now(),
    }


_ACTS: dict[str, Callable[[PortalRequest, UUID, str], str]] = {
    "protect": _protect,
    "first": _first,
    "up": _up,
    "down": _down,
    "rule": _rule,
}
