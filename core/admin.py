"""The back office reads. What staff change goes through services, with a reason that is kept."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import clock, work
from core.enums import WorkState
from core.models import WebhookDelivery, WebhookEndpoint, Work


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list for the back office to read; changes go through services."""

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Whether the user may let parked rows go on: who could change them, if anybody could."""
        codename = get_permission_codename("change", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")


class ReasonForm(ActionForm):
    """What an action of a list asks for: why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), required=False, max_length=200, widget=forms.TextInput
    )


@admin.register(Work)
class WorkAdmin(ReadOnly):
    """Due work, and what of it is parked: nothing waits where staff cannot see it. Rule: R12."""

    list_display = ["kind", "key", "state", "due_at", "attempts", "owner", "reason", "ended_at"]
    list_filter = ["state", "kind"]
    search_fields = ["=key"]
    ordering = ["-state", "due_at"]
    show_full_result_count = False
    action_form = ReasonForm
    actions = ["release"]

    @admin.action(
        description=gettext_lazy("Have the selected parked work done again (give a reason)"),
        permissions=["release"],
    )
    def release(self, request: HttpRequest, queryset: QuerySet[Work]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, _("Say why it is to be done again."), messages.ERROR)
            return
        parked = queryset.filter(state=WorkState.PARKED).values_list("pk", flat=True)
        released = sum(
            work.release(work_id, actor=str(request.user), reason=reason, now=clock.now())
            for work_id in list(parked)
        )
        self.message_user(request, _("%(count)s released.") % {"count": released}, messages.SUCCESS)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnly):
    """Where events are sent; the secret is shown to nobody again."""

    list_display = ["label", "url", "created_at", "closed_at", "misses", "away_until"]
    exclude = ["sealed_secret"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly):
    """What became of each event; what was given up is parked work, too. Rule: R12."""

    list_display = [
        *("event_id", "endpoint", "organisation_id", "created_at", "tries", "status"),
        *("reason", "delivered_at", "given_up_at"),
    ]
    list_filter = ["endpoint", ("given_up_at", admin.EmptyFieldListFilter)]
    list_select_related = ["endpoint"]
    search_fields = ["=event_id", "=organisation_id"]
    ordering = ["-id"]
    show_full_result_count = False
