"""Credits and write-offs, those first that wait for a second person. Rule: B-11, ASVS 2.3.5."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import money
from payments.admin import written
from payments.admin.office import Act, Doing, Fact, Office, Table, trail
from payments.admin.payables import HINDRANCES
from payments.admin.written import Label
from payments.enums import CorrectionKind, CorrectionState
from payments.models import Correction
from payments.queries import office as queries
from payments.queries import refunds as backs
from payments.services import corrections

REFUSALS: Mapping[type[Exception], Label] = {
    **HINDRANCES,
    corrections.SamePerson: gettext_lazy(
        "You asked for it yourself: another person has to approve it. You may withdraw it."
    ),
    corrections.AlreadyDecided: gettext_lazy("It was decided before."),
}


def _approve(doing: Doing) -> str:
    corrections.approve(
        correction_id=doing.row.pk, actor=doing.actor, now=doing.now, reason=doing.reason
    )
    return _("It is approved and done.")


def _reject(doing: Doing) -> str:
    corrections.reject(
        correction_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("It is not done.")


def _what_comes(row: Correction) -> Sequence[Fact]:
    people = queries.people([row.requested_by])
    known = [
        (_("What"), row.get_kind_display()),
        (_("Amount"), money.written(row.gross, row.currency)),
        (_("Reason"), row.reason),
        (_("Asked for by"), written.person(row.requested_by, people)),
    ]
    if row.kind != CorrectionKind.CREDIT or row.payable.invoice_id is None:
        return known
    seen = backs.preview(invoice_id=row.payable.invoice_id, gross=row.gross)
    return [
        *known,
        (_("Given back"), money.written(seen.refund, row.currency)),
        (_("Still owed afterwards"), money.written(seen.still_owed, row.currency)),
    ]


def _is_waiting(row: Correction) -> bool:
    return row.state == CorrectionState.WAITING


@admin.register(Correction)
class CorrectionAdmin(Office):
    list_display = [
        written.column(gettext_lazy("of"), lambda row: row.payable.number),
        written.plain("kind", gettext_lazy("what")),
        written.plain("state", gettext_lazy("state")),
        "organisation",
        written.amount("gross", gettext_lazy("amount")),
        written.plain("reason", gettext_lazy("reason")),
        written.instant("requested_at", gettext_lazy("asked for")),
        written.instant("decided_at", gettext_lazy("decided")),
    ]
    related = ["organisation", "payable", "credit_note"]
    list_select_related = ["organisation", "payable"]
    list_filter = ["state", "kind"]
    search_fields = ["payable__number__exact", "organisation__reference__exact"]
    search_help_text = gettext_lazy("Number, or the organisation")
    acts = (
        Act(
            name="approve",
            label=gettext_lazy("Approve"),
            about=gettext_lazy(
                "It is done exactly as it was asked for. Who asked for it cannot approve it."
            ),
            do=_approve,
            is_offered=_is_waiting,
            refusals=REFUSALS,
            facts=_what_comes,
        ),
        Act(
            name="reject",
            label=gettext_lazy("Reject or withdraw"),
            about=gettext_lazy("It is not done. Who asked for it may withdraw it so."),
            do=_reject,
            is_offered=_is_waiting,
            refusals=REFUSALS,
            facts=_what_comes,
        ),
    )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [F("decided_at").desc(nulls_first=True), "-id"]

    def named(self, row: Correction) -> str:
        return f"{row.get_kind_display()} · {row.payable.number}"

    def facts(self, row: Correction) -> Sequence[Fact]:
        people = queries.people([row.requested_by, row.decided_by])
        return [
            (_("Status"), row.get_state_display()),
            (_("Organisation"), written.link(row.organisation)),
            (_("Document"), written.link(row.payable, row.payable.number)),
            (_("Amount"), money.written(row.gross, row.currency)),
            (_("Reason"), row.reason),
            (_("A second person is needed"), written.yes_or_no(not row.is_alone)),
            (_("Asked for by"), written.person(row.requested_by, people)),
            (_("Asked for"), written.at(row.requested_at)),
            (_("Decided by"), written.person(row.decided_by, people)),
            (_("Decided"), written.at(row.decided_at)),
            (_("Why it was decided so"), row.decision or written.NOTHING),
            (_("Credit note"), written.link(row.credit_note)),
        ]

    def tables(self, row: Correction) -> Sequence[Table]:
        return [_refunds(row), trail("correction", row)]


def _refunds(row: Correction) -> Table:
    found = row.credit_note.refunds.order_by("id") if row.credit_note else ()
    return Table(
        gettext_lazy("Refunds that follow from it"),
        [gettext_lazy("Refund"), gettext_lazy("Status"), gettext_lazy("Amount")],
        [
            [
                written.link(each, each.key),
                each.get_state_display(),
                money.written(each.amount, each.currency),
            ]
            for each in found
        ],
    )
