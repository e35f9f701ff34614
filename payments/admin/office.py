"""A list and a page of each kind of money: both read; what staff may do about a row is an act.

An act has a page of its own, asks for a reason, and calls a service; who may do it has Django's
"change" permission of the model. No page writes a row by itself. Rule: R12, R15.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import audit, clock
from core.admin import ReadOnly
from core.models import AuditEntry
from payments.admin.forms import WhyForm
from payments.admin.written import Label, at, person
from payments.queries import office as queries

Fact = tuple[Label, object]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that belong to the row of a page: history, refunds, differences."""

    title: Label
    heads: Sequence[Label]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Doing:
    """Who does what, and when, with what was typed; `row` as it was read for the page.

    `carried`: what a preview wants to be sent along with what was typed, by field of the form.
    """

    row: Any
    form: forms.Form
    user_id: int
    now: datetime
    carried: dict[str, str] = field(default_factory=dict)

    @property
    def typed(self) -> Mapping[str, Any]:
        return self.form.cleaned_data

    @property
    def actor(self) -> str:
        return f"user:{self.user_id}"

    @property
    def reason(self) -> str:
        return str(self.typed.get("reason", ""))


class Refused(Exception):
    """An act is not done; the message, in the reader's language, says why and what helps."""


@dataclass(frozen=True, slots=True)
class Act:
    """What staff may do about a row. `do` returns what is told afterwards.

    `refusals`: what is told when a service raises one of these. `facts`: what is shown beside the
    form. `preview`: what would come of what was typed; it is then shown before it is done.
    """

    name: str
    label: Label
    about: Label
    do: Callable[[Doing], str]
    form: type[forms.Form] = WhyForm
    is_offered: Callable[[Any], bool] = lambda _row: True
    refusals: Mapping[type[Exception], Label] = field(default_factory=dict)
    facts: Callable[[Any], Sequence[Fact]] = lambda _row: ()
    preview: Callable[[Doing], Sequence[Fact]] | None = None
    is_grave: bool = False


class Office(ReadOnly):
    """The list of a kind, and a page of each row with its facts, tables and acts."""

    acts: Sequence[Act] = ()
    related: Sequence[str] = ()  # what a row's page reads along with it
    show_full_result_count = False
    list_per_page = 50
    actions = None

    def facts(self, row: Any) -> Sequence[Fact]:
        raise NotImplementedError

    def tables(self, row: Any) -> Sequence[Table]:
        return ()

    def links(self, row: Any) -> Sequence[object]:
        """Return what else there is to go to from a row's page."""
        return ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.act_view)
        return [
            path("<int:pk>/do/<slug:act>/", view, name=f"{self._name()}_act"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self._found(request, object_id)
        context = {
            "title": str(self.named(row)),
            "facts": self.facts(row),
            "tables": self.tables(row),
            "links": self.links(row),
            "acts": [(act, self._act_url(row, act)) for act in self._offered(request, row)],
        }
        return self._page(request, "page", row, context)

    def named(self, row: Any) -> object:
        """Return what a row's page is headed with."""
        return row

    def act_view(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """Show what an act asks for; when it is sent, do it, and go back to the row's page."""
        row = self._found(request, str(pk))
        chosen = next((each for each in self.acts if each.name == act), None)
        if chosen is None:
            raise Http404
        if not self.has_release_permission(request):
            raise PermissionDenied
        if not chosen.is_offered(row):
            messages.warning(request, _("This cannot be done any more: look how it stands now."))
            return HttpResponseRedirect(self._url(row))
        return self._act(request, row, chosen)

    def _act(self, request: HttpRequest, row: Any, act: Act) -> HttpResponse:
        form = self.form_of(request, row, act)
        shown: Sequence[Fact] = act.facts(row)
        is_preview = False
        if request.method == "POST" and form.is_valid():
            doing = Doing(row, form, int(request.user.pk or 0), clock.now())
            try:
                if act.preview is None or "sure" in request.POST:
                    messages.success(request, act.do(doing))
                    return HttpResponseRedirect(self._url(row))
                shown, is_preview = act.preview(doing), True
                if doing.carried:
                    form.data = {**request.POST.dict(), **doing.carried}
            except Refused as why:
                form.add_error(None, str(why))
            except tuple(act.refusals) as why:
                form.add_error(None, _refusal(act, why))
        context = {
            "title": act.label,
            "act": act,
            "form": form,
            "facts": shown,
            "is_preview": is_preview,
            # A template would call the function to find out whether there is one.
            "is_shown_first": act.preview is not None and not is_preview,
            "back": self._url(row),
            "row": self.named(row),
        }
        return self._page(request, "act", row, context)

    def form_of(self, request: HttpRequest, row: Any, act: Act) -> forms.Form:
        """Return the form of an act, bound to what was sent, if anything was."""
        return act.form(request.POST or None)

    def _found(self, request: HttpRequest, object_id: str) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not object_id.isdecimal():
            raise Http404
        rows = self.get_queryset(request)
        if self.related:
            rows = rows.select_related(*self.related)
        return get_object_or_404(rows, pk=int(object_id))

    def _offered(self, request: HttpRequest, row: Any) -> list[Act]:
        if not self.has_release_permission(request):
            return []
        return [act for act in self.acts if act.is_offered(row)]

    def _page(
        self, request: HttpRequest, name: str, row: Model, context: Mapping[str, object]
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            f"admin/payments/{name}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, **context},
        )

    def _name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def _url(self, row: Model) -> str:
        return reverse(f"admin:{self._name()}_change", args=[row.pk])

    def _act_url(self, row: Model, act: Act) -> str:
        return reverse(f"admin:{self._name()}_act", args=[row.pk, act.name])


def _refusal(act: Act, why: Exception) -> str:
    return next(str(words) for kind, words in act.refusals.items() if isinstance(why, kind))


WHEN, WHO, WHAT, CODE = (
    gettext_lazy("At"),
    gettext_lazy("Who"),
    gettext_lazy("What"),
    gettext_lazy("Code"),
)


def history(subject: str, row: Any) -> list[Table]:
    """Return how a method, charge or refund came to its state, and what the trail says of it."""
    moves = queries.transitions(subject, row.pk)
    entries = queries.audited(row.organisation_id, f"{subject}:{row.pk}")
    people = queries.people([*(each.actor for each in moves), *(each.actor for each in entries)])
    return [
        Table(
            gettext_lazy("How it came to its state"),
            [WHEN, gettext_lazy("From"), gettext_lazy("To"), gettext_lazy("Call"), CODE, WHO],
            [
                [
                    *(at(move.at), move.before, move.after, move.step, move.code),
                    person(move.actor, people),
                ]
                for move in moves
            ],
        ),
        _trail(entries, people),
    ]


def trail(subject: str, row: Any) -> Table:
    """Return what the audit trail says of a row: its organisation's, or the vendor's."""
    chain = getattr(row, "organisation_id", audit.VENDOR_CHAIN)
    entries = queries.audited(chain, f"{subject}:{row.pk}")
    return _trail(entries, queries.people([each.actor for each in entries]))


def _trail(entries: Sequence[AuditEntry], people: Mapping[str, str]) -> Table:
    return Table(
        gettext_lazy("Audit trail"),
        [WHEN, WHAT, gettext_lazy("Details"), WHO],
        [
            [at(each.at), each.action, _details(each.details), person(each.actor, people)]
            for each in entries
        ],
    )


def _details(details: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name}: {value}" for name, value in details.items() if value is not None and value != ""
    )
