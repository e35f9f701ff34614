"""The month end in the back office: to be read, and parked organisations to be let go on."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Invoice, MonthRun, ParkedOrganisation
from billing.services import park
from core import clock
from core.admin import ReadOnly, ReasonForm


@admin.register(MonthRun)
class MonthRunAdmin(ReadOnly):
    list_display = ["month", "state", "started_at", "finished_at"]
    ordering = ["-month"]


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly):
    list_display = [
        "number",
        "kind",
        "corrects",
        "organisation",
        "month",
        "issued_on",
        "currency",
        "net",
        "tax",
        "gross",
    ]
    list_select_related = ["organisation", "corrects"]
    list_filter = ["kind"]
    search_fields = ["=number", "organisation__reference"]
    ordering = ["-issued_on", "-number"]
    show_full_result_count = False


@admin.register(ParkedOrganisation)
class ParkedOrganisationAdmin(ReadOnly):
    list_display = ["organisation", "month", "reason", "owner", "parked_at", "released_at"]
    list_select_related = ["organisation"]
    list_filter = ["reason", "released_at"]
    ordering = ["-parked_at"]
    action_form = ReasonForm
    actions = ["release"]

    @admin.action(
        description=gettext_lazy("Let the selected organisations go on (give a reason)"),
        permissions=["release"],
    )
    def release(self, request: HttpRequest, queryset: QuerySet[ParkedOrganisation]) -> None:
        reason = request.POST.get("reason", "")
        for parked in queryset.filter(released_at=None):
            try:
                park.release(
                    organisation_id=parked.organisation_id,
                    actor=str(request.user),
                    reason=reason,
                    now=clock.now(),
                )
            except park.ReasonMissing:
                self.message_user(request, _("Say why they go on."), messages.ERROR)
                return
            except park.NothingParked:
                continue
            self.message_user(
                request,
                _("%(organisation)s goes on.") % {"organisation": parked.organisation.reference},
                messages.SUCCESS,
            )
