"""The list of accounts: how many there may be, who they are, and what can be done. Rule: design.md 7."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import PortalRequest
from accounts.models import Membership, Organisation
from core import clock, tables
from core.tables import Cell
from plans import queries as plans
from seats.enums import Act
from seats.forms.accounts import AccountSearch
from seats.queries import accounts as queries
from seats.queries import groups
from seats.queries.accounts import Search
from seats.views import places, shown


@require_safe
def accounts(request: PortalRequest) -> HttpResponse:
    """Show the accounts, or those looked for, below how many places there are."""
    now, zone = clock.now(), plans.zone_for_pages()
    organisation = request.organisation
    form = AccountSearch(request.GET, groups=list(groups.groups_of(organisation)))
    found = _found(organisation, form)
    page = Paginator(found, queries.PAGE).get_page(request.GET.get("page"))
    parameters = request.GET.copy()
    parameters.pop("page", None)
    parameters.pop("tick", None)
    search = form.search() if form.is_valid() else Search()
    context = {
        "organisation": organisation,
        "places": places.of(organisation, now, zone),
        "form": form,
        "page": page,
        "rows": shown.rows(organisation, list(page), zone),
        "query": f"{parameters.urlencode()}&" if parameters else "",
        "parameters": parameters.urlencode(),
        "is_ticked": request.GET.get("tick") == "all",
        "acts": Act.choices,
        "is_automatic": search.is_automatic,
        "is_alone": page.paginator.count == 1 and not form.asks,
    }
    return render(request, "seats/accounts.html", context)


@require_safe
def accounts_csv(request: PortalRequest) -> HttpResponseBase:
    """Hand over all accounts that the list would show, as CSV. Rule: F75."""
    organisation = request.organisation
    form = AccountSearch(request.GET, groups=list(groups.groups_of(organisation)))
    header = [
        _("E-mail address"),
        _("Name"),
        _("Role"),
        _("Groups"),
        _("Status"),
        _("Registered"),
        _("Last sign-in"),
        _("Deactivated"),
    ]
    lines = _lines(organisation, _found(organisation, form), plans.zone_for_pages())
    return tables.csv_response("accounts.csv", header, lines)


def _found(organisation: Organisation, form: AccountSearch) -> QuerySet[Membership]:
    if not form.is_valid():
        return queries.accounts_of(organisation).none()
    return queries.with_groups(queries.found(organisation, form.search()))


def _lines(
    organisation: Organisation, found: QuerySet[Membership], zone: ZoneInfo
) -> Iterator[Sequence[Cell]]:
    rows = list(found)
    for row in shown.rows(organisation, rows, zone):
        seen_at = shown.seen(row.account)
        yield [
            row.email,
            row.name,
            row.role,
            "; ".join(shown.in_groups(row.account)),
            row.status,
            row.account.registered_at.astimezone(zone).date(),
            seen_at.astimezone(zone).date() if seen_at else None,
            row.why,
        ]
