"""Money at a glance: what waits for a person, and what is charged no more by itself. Rule: R11, R12."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Organisation
from core import clock
from core.admin import ReadOnly
from core.models import Work
from payments.admin import written
from payments.admin.forms import LiftForm, StopForm
from payments.admin.written import Label
from payments.gateways import registry
from payments.models import (
    Charge,
    ChargingStop,
    Correction,
    Difference,
    Payable,
    PaymentMethod,
    Refund,
    SupportRequest,
)
from payments.queries import office as queries
from payments.services import restoring, stops

_ONE = "organisation"


@dataclass(frozen=True, slots=True)
class _Line:
    label: Label
    model: type[Model]
    query: str = ""


_LINES: Mapping[str, _Line] = {
    "charges.undecided": _Line(
        gettext_lazy("Charges of which nobody knows whether they took the money"),
        Charge,
        "waits=undecided",
    ),
    "charges.lost": _Line(
        gettext_lazy("Charges that were sent and never answered"), Charge, "waits=lost"
    ),
    "charges.pending": _Line(
        gettext_lazy("Charges that the provider processes for more than a day"),
        Charge,
        "waits=pending",
    ),
    "payables.differs": _Line(
        gettext_lazy("Documents held because the provider's answer differs"),
        Payable,
        "waits=differs",
    ),
    "payables.reversed": _Line(
        gettext_lazy("Documents held because the provider took the money back"),
        Payable,
        "waits=reversed",
    ),
    "differences": _Line(
        gettext_lazy("Differences between our books and a provider's"), Difference, "open=yes"
    ),
    "corrections": _Line(
        gettext_lazy("Corrections that wait for a second person"),
        Correction,
        "state__exact=waiting",
    ),
    "refunds.failed": _Line(
        gettext_lazy("Refunds that failed and are not made good"), Refund, "waits=failed"
    ),
    "refunds.stuck": _Line(
        gettext_lazy("Refunds of which nobody knows whether they were made"),
        Refund,
        "waits=stuck",
    ),
    "requests": _Line(
        gettext_lazy("Requests of customers that are not answered"), SupportRequest, "open=yes"
    ),
    "payables.overdue": _Line(
        gettext_lazy("Organisations with something overdue"), Payable, "waits=overdue"
    ),
    "methods.review": _Line(
        gettext_lazy("Payment methods under review for more than three days"),
        PaymentMethod,
        "waits=review",
    ),
    "gateways": _Line(gettext_lazy("Providers through which nothing is charged"), ChargingStop),
    "work": _Line(
        gettext_lazy("Parked work about payments"),
        Work,
        "state__exact=parked&kind__startswith=payments.",
    ),
}


@admin.register(ChargingStop)
class MoneyAdmin(ReadOnly):
    """The overview stands where the list of stops would: they are a part of it."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("stop/", wrap(self.stop_view), name="payments_chargingstop_stop"),
            path("lift/", wrap(self.lift_view), name="payments_chargingstop_lift"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._overview(request)

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """Have something charged no more by itself."""
        self._check(request)
        form = StopForm(request.POST, scopes=_scopes())
        if not form.is_valid():
            return self._overview(request, stop_form=form)
        scope = _scope(form)
        if not scope:
            return self._overview(request, stop_form=form)
        is_new = stops.stop(
            scope=scope,
            reason=form.cleaned_data["reason"],
            actor=f"user:{request.user.pk}",
            now=clock.now(),
        )
        if is_new:
            messages.success(request, _("Charging is stopped."))
        else:
            messages.info(request, _("It was stopped before."))
        return HttpResponseRedirect(_here())

    def lift_view(self, request: HttpRequest) -> HttpResponse:
        """Let what was stopped be charged again."""
        self._check(request)
        form = LiftForm(request.POST)
        if not form.is_valid():
            return self._overview(request, lift_form=form)
        try:
            lifted = _lift(form, f"user:{request.user.pk}")
        except restoring.NotReconciled as behind:
            form.add_error(
                "anyway",
                _(
                    "The books of %(names)s were not compared with ours since the stop, or still"
                    " differ. Compare them first (manage.py reconcile)."
                )
                % {"names": ", ".join(behind.names)},
            )
            return self._overview(request, lift_form=form)
        if lifted:
            messages.success(request, _("Charging goes on."))
        else:
            messages.info(request, _("It was not stopped."))
        return HttpResponseRedirect(_here())

    def _check(self, request: HttpRequest) -> None:
        if request.method != "POST" or not self.has_release_permission(request):
            raise PermissionDenied

    def _overview(
        self,
        request: HttpRequest,
        stop_form: StopForm | None = None,
        lift_form: LiftForm | None = None,
    ) -> HttpResponse:
        now = clock.now()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Money"),
            "opts": self.opts,
            "lines": [
                _shown(each, now)
                for each in queries.waiting(now)
                if _may_see(self.admin_site, request, _LINES[each.kind].model)
            ],
            "stops": _stops(lift_form),
            "may_change": self.has_release_permission(request),
            "stop_form": stop_form or StopForm(scopes=_scopes()),
        }
        return TemplateResponse(request, "admin/payments/overview.html", context)


def _here() -> str:
    return reverse("admin:payments_chargingstop_changelist")


def _may_see(site: admin.AdminSite, request: HttpRequest, model: type[Model]) -> bool:
    registered = site._registry.get(model)  # noqa: SLF001 - Django names no other way to it
    return registered is not None and registered.has_view_permission(request)


def _shown(waiting: queries.Waiting, now: Any) -> dict[str, object]:
    line = _LINES[waiting.kind]
    return {
        "link": written.list_link(line.model, line.query, str(line.label)),
        "count": waiting.count,
        "age": written.age(waiting.oldest_at, now) if waiting.count else written.NOTHING,
    }


def _scopes() -> list[tuple[str, Any]]:
    return [
        (stops.EVERYWHERE, _("everything, with every provider")),
        *(
            (stops.of_gateway(slug), _("everything through %(name)s") % {"name": each.name})
            for slug, each in registry.gateways().items()
        ),
        (_ONE, _("one organisation")),
    ]


def _scope(form: StopForm) -> str:
    """Return what is to be stopped; nothing, with a word in the form, where there is no such customer."""
    scope: str = form.cleaned_data["scope"]
    if scope != _ONE:
        return scope
    reference = form.cleaned_data["organisation"].strip()
    found = Organisation.objects.filter(reference=reference).first()
    if found is None:
        form.add_error("organisation", _("There is no organisation with this reference."))
        return ""
    return stops.of_organisation(found.pk)


def _lift(form: LiftForm, actor: str) -> bool:
    scope, reason, now = form.cleaned_data["scope"], form.cleaned_data["reason"], clock.now()
    if scope != stops.EVERYWHERE:
        return stops.lift(scope=scope, reason=reason, actor=actor, now=now)
    return restoring.leave(reason=reason, actor=actor, now=now, force=form.cleaned_data["anyway"])


def _stops(bound: LiftForm | None) -> list[dict[str, object]]:
    rows = list(ChargingStop.objects.order_by("since"))
    people = queries.people([row.actor for row in rows])
    ids = [row.scope.partition(":")[2] for row in rows if row.scope.startswith("organisation:")]
    customers = {str(each.pk): each for each in Organisation.objects.filter(pk__in=ids)}
    return [
        {
            "what": _what(row.scope, customers),
            "reason": row.reason,
            "who": written.person(row.actor, people),
            "since": written.at(row.since),
            "form": _form(row.scope, place, bound),
        }
        for place, row in enumerate(rows)
    ]


def _form(scope: str, place: int, bound: LiftForm | None) -> LiftForm:
    form = bound if bound is not None and bound.data.get("scope") == scope else None
    form = form or LiftForm(initial={"scope": scope}, auto_id=f"lift_{place}_%s")
    if scope != stops.EVERYWHERE:
        # Only the stop of everything asks whether the books agree (F37).
        del form.fields["anyway"]
    return form


def _what(scope: str, customers: Mapping[str, Organisation]) -> object:
    kind, _colon, name = scope.partition(":")
    if kind == _ONE:
        return written.link(customers.get(name))
    return dict(_scopes()).get(scope, scope)
