"""What customers ask Support for, the open ones first. Rule: S1-06."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin import written
from payments.admin.forms import AnswerForm
from payments.admin.office import Act, Doing, Fact, Office, Table, trail
from payments.admin.waits import ByOpen
from payments.enums import MethodState
from payments.models import PaymentMethod, SupportRequest
from payments.queries import office as queries
from payments.services import support


class _Open(ByOpen):
    column = "handled_at"


def _answer(doing: Doing) -> str:
    support.answer_request(
        request_id=doing.row.pk, answer=doing.typed["answer"], actor=doing.actor, now=doing.now
    )
    return _("The answer is mailed to the customer.")


@admin.register(SupportRequest)
class SupportRequestAdmin(Office):
    list_display = [
        written.column(
            gettext_lazy("request"), lambda row: row.message[:80], ordering="created_at"
        ),
        "organisation",
        written.instant("created_at", gettext_lazy("asked")),
        written.instant("handled_at", gettext_lazy("answered")),
    ]
    related = ["organisation", "method", "user"]
    list_select_related = ["organisation"]
    list_filter = [_Open]
    search_fields = ["organisation__reference__exact", "organisation__name__istartswith"]
    search_help_text = gettext_lazy("The organisation")
    acts = (
        Act(
            name="answer",
            label=gettext_lazy("Answer"),
            about=gettext_lazy("The answer closes the request."),
            do=_answer,
            form=AnswerForm,
            is_offered=lambda row: row.handled_at is None,
            refusals={
                support.AnswerMissing: gettext_lazy("Say something to the customer."),
                support.AnsweredBefore: gettext_lazy("It is answered already."),
            },
            facts=lambda row: [(_("Asked"), row.message)],
        ),
    )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [F("handled_at").desc(nulls_first=True), "created_at"]

    def named(self, row: SupportRequest) -> str:
        return _("Request of %(organisation)s") % {"organisation": row.organisation}

    def links(self, row: SupportRequest) -> Sequence[object]:
        method = row.method
        if method is None or method.state in {MethodState.DETACHED, MethodState.REJECTED}:
            return ()
        url = reverse("admin:payments_paymentmethod_act", args=[method.pk, "detach"])
        return [format_html('<a href="{}">{}</a>', url, _("Detach the payment method"))]

    def facts(self, row: SupportRequest) -> Sequence[Fact]:
        people = queries.people([row.handled_by])
        return [
            (_("Organisation"), written.link(row.organisation)),
            (_("Asked by"), row.user.email),
            (_("Asked"), written.at(row.created_at)),
            (_("Request"), row.message),
            (_("Payment method"), written.link(row.method, _method(row.method))),
            (_("Answered"), written.at(row.handled_at)),
            (_("Answered by"), written.person(row.handled_by, people)),
            (_("Answer"), row.answer or written.NOTHING),
        ]

    def tables(self, row: SupportRequest) -> Sequence[Table]:
        return [trail("support_request", row)]


def _method(method: PaymentMethod | None) -> str:
    return f"{method.gateway} {method.label} ({method.get_state_display()})" if method else ""
