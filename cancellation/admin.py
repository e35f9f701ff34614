"""Customers who leave: when, why, and what their settlement waits for. Rule: S1-29."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cancellation import services
from cancellation.enums import Reason
from cancellation.models import Cancellation
from cancellation.queries import standing
from cancellation.rules.ending import NotALastDay
from cancellation.services import closing
from core import clock
from core.months import last_day
from core.templatetags import writing
from core.work import ReasonMissing
from payments.admin import written
from payments.admin.forms import WhyForm
from payments.admin.office import Act, Doing, Fact, Office, Table, trail
from payments.admin.written import Label

_REASONS_SINCE = timedelta(days=365)


class LastDayForm(WhyForm):
    """Another last day, and why."""

    last_on = forms.DateField(
        label=gettext_lazy("New last day"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("The contract ends with the end of this day."),
    )
    field_order = ["last_on", "reason"]


_MOVED: Mapping[type[Exception], Label] = {
    ReasonMissing: gettext_lazy("Say why."),
    services.NothingToWithdraw: gettext_lazy("It stands no more."),
    services.TooLate: gettext_lazy("The contract has ended already."),
    NotALastDay: gettext_lazy(
        "The last day cannot be moved there: it is over, or more than two years ahead."
    ),
}
_REOPENED: Mapping[type[Exception], Label] = {
    services.NothingToReopen: gettext_lazy("The contract has not ended, or was opened again."),
    services.NoFreePlan: gettext_lazy(
        "There is no free plan in their currency to begin with. Put one on sale first."
    ),
}


def _move(doing: Doing) -> str:
    services.move_last_day(
        cancellation_id=doing.row.pk,
        last_on=doing.typed["last_on"],
        reason=doing.reason,
        actor=doing.actor,
        now=doing.now,
    )
    return _("The last day is moved. The root is told by mail.")


def _reopen(doing: Doing) -> str:
    services.reopen(
        organisation_id=doing.row.organisation_id,
        actor=doing.actor,
        now=doing.now,
        reason=doing.reason,
    )
    return _("It is a customer again. The root can start a contract.")


@admin.register(Cancellation)
class CancellationAdmin(Office):
    list_display = ["organisation", "last_on", "ordered_at", "reason", "state"]
    list_filter = ["reason", ("withdrawn_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organisation"]
    related = ["organisation", "terms", "ordered_by"]
    search_fields = ["organisation__name", "=organisation__reference"]
    ordering = ["-ordered_at", "-id"]
    change_list_template = "admin/cancellation/list.html"
    acts = (
        Act(
            name="move",
            label=gettext_lazy("Move the last day"),
            about=gettext_lazy(
                "The contract ends with another day. Bills, spot contracts, accounts and data follow it;"
                " the root is told by mail."
            ),
            do=_move,
            form=LastDayForm,
            is_offered=lambda row: row.withdrawn_at is None and row.closed_at is None,
            refusals=_MOVED,
        ),
        Act(
            name="reopen",
            label=gettext_lazy("Make it a customer again"),
            about=gettext_lazy(
                "The organisation may start a new contract; its history stays. The time in between is not"
                " billed."
            ),
            do=_reopen,
            is_offered=lambda row: row.closed_at is not None and row.reopened_at is None,
            refusals=_REOPENED,
        ),
    )

    @admin.display(description=gettext_lazy("Last day"), ordering="end_on")
    def last_on(self, row: Cancellation) -> str:
        return writing.day(last_day(row.end_on))

    @admin.display(description=gettext_lazy("Status"))
    def state(self, row: Cancellation) -> str:
        return _state(row)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        now = clock.now()
        counted = standing.reasons(now - _REASONS_SINCE, now)
        context = {
            "reasons": [
                (
                    f"{month:%Y-%m}",
                    Reason(code).label if code else _("not said"),
                    count,
                )
                for month, code, count in counted
            ]
        }
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def facts(self, row: Cancellation) -> Sequence[Fact]:
        waits = closing.waits_for(row) if row.closed_at and not row.settled_at else None
        return [
            (_("Organisation"), f"{row.organisation.name} ({row.organisation.reference})"),
            (_("Status"), _state(row)),
            (_("Last day"), last_day(row.end_on)),
            (_("Data can be exported until"), last_day(row.data_until_on)),
            (_("Cancelled"), written.at(row.ordered_at)),
            (_("By"), row.ordered_by.email),
            (_("Signed in again for it"), written.at(row.stepped_up_at)),
            (_("Terms agreed to"), str(row.terms)),
            (_("Reason"), Reason(row.reason).label if row.reason else _("not said")),
            (_("In their own words"), row.reason_text),
            (_("Withdrawn"), written.at(row.withdrawn_at)),
            (_("Contract ended"), written.at(row.closed_at)),
            (_("Settled"), written.at(row.settled_at)),
            (_("The settlement waits"), waits.label if waits else ""),
            (_("A customer again"), written.at(row.reopened_at)),
        ]

    def tables(self, row: Cancellation) -> Sequence[Table]:
        changes = Table(
            gettext_lazy("How the last day was moved"),
            [
                gettext_lazy("At"),
                gettext_lazy("Last day before"),
                gettext_lazy("Last day now"),
                gettext_lazy("Reason"),
                gettext_lazy("Who"),
            ],
            [
                [
                    written.at(each.at),
                    last_day(each.before_on),
                    last_day(each.after_on),
                    each.reason,
                    each.by,
                ]
                for each in row.last_day_changes.order_by("at", "pk")
            ],
        )
        return [changes, trail("cancellation", row)]


def _state(row: Cancellation) -> str:
    if row.withdrawn_at is not None:
        return _("withdrawn")
    if row.reopened_at is not None:
        return _("a customer again")
    if row.settled_at is not None:
        return _("settled")
    if row.closed_at is not None:
        return _("ended, being settled")
    return _("ends with its last day")
