"""Registering many from a file: sent, shown, confirmed, followed, and read back. Rule: R3."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import PortalRequest
from core import clock, tables
from core.tables import Cell
from plans import queries as plans
from seats.enums import ImportState, Problem, RowState
from seats.forms import files
from seats.forms.accounts import ImportFile
from seats.models import AccountImport, ImportRow
from seats.queries import imports as queries
from seats.queries.imports import Progress
from seats.services import groups, imports
from seats.views import places, words

_ROWS = 100
# The rest of a form around its file.
_FORM_ITSELF = 64 * 1024
_KINDS = {
    RowState.READY: "accent",
    RowState.REGISTERED: "good",
    RowState.THERE: "",
    RowState.WRONG: "bad",
    RowState.FULL: "warn",
}
_REASONS = {
    Problem.NO_ADDRESS: gettext_lazy("There is no e-mail address."),
    Problem.BAD_ADDRESS: gettext_lazy("This is no e-mail address."),
    Problem.LONG_NAME: gettext_lazy("The name is longer than 120 characters."),
    Problem.ROOT: gettext_lazy("There is one root account, and it is there already."),
    Problem.COLUMNS: gettext_lazy("The line has more cells than the first line has columns."),
    Problem.JUST_SENT: words.JUST_SENT,
}


@require_http_methods(["GET", "HEAD", "POST"])
def send(request: PortalRequest) -> HttpResponse:
    """Show the form; by POST, check a file whole and show what would become of it."""
    if request.method != "POST":
        return _form_page(request, ImportFile())
    form = ImportFile(request.POST, request.FILES)
    if int(request.META.get("CONTENT_LENGTH") or 0) > files.LARGEST + _FORM_ITSELF:
        form.is_valid()
        form.errors.pop("file", None)
        form.add_error("file", _("The file is larger than 1 MB. Send it in parts."))
    if not form.is_valid():
        return _form_page(request, form, status=400)
    try:
        batch = imports.check(
            organisation_id=request.organisation.pk,
            operation=form.cleaned_data["operation"],
            rows=form.rows,
            user_id=request.user.pk,
            now=clock.now(),
        )
    except groups.TooMany:
        form.add_error(
            "file",
            _("With the groups of this file there would be more than %(most)s.")
            % {"most": groups.MOST},
        )
        return _form_page(request, form, status=400)
    return _to_batch(request, batch)


@require_http_methods(["GET", "HEAD", "POST"])
def batch(request: PortalRequest, batch: UUID) -> HttpResponse:
    """Show an import: what will become of each row, how far it is, its results; by POST, confirm it."""
    found = _found(request, batch)
    if request.method == "POST":
        _confirm(request, found)
        return _to_batch(request, found)
    template = "seats/_import.html" if request.htmx else "seats/import_batch.html"
    response = render(request, template, _context(request, found))
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_safe
def batch_csv(request: PortalRequest, batch: UUID) -> HttpResponseBase:
    """Hand over the rows of an import with their results, as CSV. Rule: F75."""
    found = _found(request, batch)
    header = [_("Line"), _("E-mail address"), _("Name"), _("Role"), _("Groups"), _("Result")]
    header.append(_("Reason"))
    return tables.csv_response("accounts-import.csv", header, _lines(found))


def _confirm(request: PortalRequest, found: AccountImport) -> None:
    try:
        is_new = imports.confirm(
            organisation_id=request.organisation.pk,
            batch_id=found.pk,
            actor=str(request.user),
            now=clock.now(),
        )
    except imports.NoSuchImport:
        raise Http404 from None
    except imports.NothingToDo:
        messages.error(request, _("No row of the file can be registered."))
        return
    if not is_new:
        messages.info(request, _("This import was confirmed before; it is carried out once."))


def _found(request: PortalRequest, public_id: UUID) -> AccountImport:
    found = queries.of(request.organisation, public_id)
    if found is None:
        raise Http404
    return found


def _to_batch(request: PortalRequest, found: AccountImport) -> HttpResponse:
    return redirect(
        "accounts_import_batch",
        organisation=request.organisation.public_id,
        batch=found.public_id,
    )


def _form_page(request: PortalRequest, form: ImportFile, status: int = 200) -> HttpResponse:
    organisation, zone = request.organisation, plans.zone_for_pages()
    latest = [
        (each, ImportState(each.state).label, vars(each)["size"])
        for each in queries.latest(organisation)
    ]
    context = {
        "organisation": organisation,
        "form": form,
        "places": places.of(organisation, clock.now(), zone),
        "latest": latest,
        "zone": str(zone),
    }
    return render(request, "seats/import.html", context, status=status)


def _context(request: PortalRequest, found: AccountImport) -> dict[str, object]:
    organisation, now, zone = request.organisation, clock.now(), plans.zone_for_pages()
    progress = queries.progress(found)
    state = ImportState(found.state)
    standing = places.of(organisation, now, zone)
    page = Paginator(queries.rows_of(found), _ROWS).get_page(request.GET.get("page"))
    is_short = standing.left is not None and progress.ready > standing.left
    return {
        "organisation": organisation,
        "batch": found,
        "state": state.value,
        "progress": progress,
        "percent": progress.settled * 100 // max(progress.total, 1),
        "sentence": _sentence(state, progress),
        "counted": _counted(progress),
        "places": standing,
        "short_by": _short(progress.ready - (standing.left or 0)) if is_short else "",
        "label": _label(progress.ready),
        "page": page,
        "rows": [(row, *_result(row)) for row in page],
        "zone": str(zone),
    }


def _sentence(state: ImportState, progress: Progress) -> str:
    match state:
        case ImportState.CHECKED:
            said = ngettext(
                "%(ready)s of %(total)s row will be registered. Nobody is registered yet.",
                "%(ready)s of %(total)s rows will be registered. Nobody is registered yet.",
                progress.total,
            )
        case ImportState.RUNNING:
            said = ngettext(
                "%(settled)s of %(total)s row has its result.",
                "%(settled)s of %(total)s rows have their result.",
                progress.total,
            )
        case _:
            said = ngettext(
                "%(registered)s of %(total)s row is registered.",
                "%(registered)s of %(total)s rows are registered.",
                progress.total,
            )
    return said % {
        "ready": progress.ready,
        "total": progress.total,
        "settled": progress.settled,
        "registered": progress.registered,
    }


def _counted(progress: Progress) -> list[tuple[str, int]]:
    """Return how many rows stand how; what no row is, is left out."""
    all_of_them = [
        (_("will be registered"), progress.ready),
        (_("registered"), progress.registered),
        (_("has an account already"), progress.there),
        (_("no place was left"), progress.full),
        (_("wrong"), progress.wrong),
    ]
    return [each for each in all_of_them if each[1]]


def _short(missing: int) -> str:
    return ngettext(
        "%(number)s place is missing: the last row in the file will not be registered.",
        "%(number)s places are missing: the last rows in the file will not be registered.",
        missing,
    ) % {"number": missing}


def _label(ready: int) -> str:
    return ngettext("Register %(number)s account", "Register %(number)s accounts", ready) % {
        "number": ready
    }


def _result(row: ImportRow) -> tuple[str, str, str]:
    """Return what becomes of a row in words, the kind of its badge, and the reason."""
    state = RowState(row.state)
    return str(state.label), _KINDS[state], _reason(row)


def _reason(row: ImportRow) -> str:
    if not row.problem:
        return ""
    problem = Problem(row.problem)
    match problem:
        case Problem.TWICE:
            return _("The address stands in line %(line)s already.") % {"line": row.about}
        case Problem.BAD_ROLE:
            return _("“%(word)s” is no role; write member or manager.") % {"word": row.about}
        case Problem.BAD_GROUP:
            return _("No group can be called “%(word)s”.") % {"word": row.about}
        case _:
            return str(_REASONS[problem])


def _lines(found: AccountImport) -> Iterator[Sequence[Cell]]:
    for row in queries.rows_of(found).iterator(2_000):
        result, _kind, reason = _result(row)
        role = row.get_role_display()
        yield [row.line, row.email, row.name, role, "; ".join(row.groups), result, reason]
