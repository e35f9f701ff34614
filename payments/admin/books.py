"""Our books beside the providers': differences, comparisons, and the notices that came in. Rule: I08."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.work import ReasonMissing
from payments.admin import written
from payments.admin.forms import ResolutionForm
from payments.admin.office import Act, Doing, Fact, Office, Refused, Table, trail
from payments.admin.waits import ByGateway, ByOpen
from payments.models import Difference, Reconciliation, StoredNotice
from payments.queries import office as queries
from payments.services import reconcile


def _resolve(doing: Doing) -> str:
    done = reconcile.resolve(
        difference_id=doing.row.pk,
        resolution=doing.typed["resolution"],
        actor=doing.actor,
        now=doing.now,
    )
    if not done:
        raise Refused(_("Somebody has settled it meanwhile."))
    return _("It is settled.")


@admin.register(Difference)
class DifferenceAdmin(Office):
    list_display = [
        written.plain("kind", gettext_lazy("difference")),
        written.plain("gateway", gettext_lazy("provider")),
        written.plain("reference", gettext_lazy("reference")),
        written.column(
            gettext_lazy("organisation"), lambda row: row.organisation or written.NOTHING
        ),
        written.plain("owner", gettext_lazy("owner")),
        written.instant("found_at", gettext_lazy("found")),
        written.instant("resolved_at", gettext_lazy("settled")),
    ]
    related = ["organisation", "charge__payable", "refund"]
    list_select_related = ["organisation"]
    list_filter = [ByOpen, "kind", ByGateway]
    search_fields = [
        "reference__exact",
        "charge__number__exact",
        "organisation__reference__exact",
    ]
    search_help_text = gettext_lazy("Reference, number, or the organisation")
    acts = (
        Act(
            name="settle",
            label=gettext_lazy("Settle"),
            about=gettext_lazy(
                "Say what came of it. Nothing else changes: what is to be credited, recorded or"
                " released is done on its own page."
            ),
            do=_resolve,
            form=ResolutionForm,
            is_offered=lambda row: row.resolved_at is None,
            refusals={ReasonMissing: gettext_lazy("Say what came of it.")},
        ),
    )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return [F("resolved_at").desc(nulls_first=True), "found_at", "id"]

    def named(self, row: Difference) -> str:
        return f"{row.gateway} {row.reference}"

    def facts(self, row: Difference) -> Sequence[Fact]:
        people = queries.people([row.resolved_by])
        return [
            (_("What"), row.get_kind_display()),
            (_("Provider"), f"{row.gateway} · {row.environment}"),
            (_("Reference at the provider"), row.reference),
            (_("Organisation"), written.link(row.organisation)),
            (_("Charge"), written.link(row.charge)),
            (_("Refund"), written.link(row.refund)),
            (
                _("Document"),
                written.link(row.charge.payable, row.charge.number)
                if row.charge
                else row.detail.get("number") or written.NOTHING,
            ),
            (_("Owner"), row.owner),
            (_("Found"), written.at(row.found_at)),
            (_("Settled"), written.at(row.resolved_at)),
            (_("Settled by"), written.person(row.resolved_by, people)),
            (_("What came of it"), row.resolution or written.NOTHING),
        ]

    def tables(self, row: Difference) -> Sequence[Table]:
        beside = _beside(row)
        return [beside, trail("difference", row)] if row.organisation_id else [beside]


_SAID = ("way", "standing", "amount", "currency", "key", "number", "reference", "capture", "at")


def _beside(row: Difference) -> Table:
    """Return what our books and the provider's say, side by side."""
    ours, theirs = _ours(row), _theirs(row)
    names = [name for name in _SAID if name in ours or name in theirs]
    names += sorted((ours.keys() | theirs.keys()) - set(_SAID))
    return Table(
        gettext_lazy("Side by side"),
        [gettext_lazy("What"), gettext_lazy("Ours"), gettext_lazy("Theirs")],
        [
            [name, ours.get(name, written.NOTHING), theirs.get(name, written.NOTHING)]
            for name in names
        ],
    )


def _ours(row: Difference) -> Mapping[str, object]:
    if "ours" in row.detail:
        return row.detail["ours"] or {}
    about = row.refund or row.charge
    if about is None:
        return {}
    known = {
        "standing": about.state,
        "amount": about.amount,
        "currency": about.currency,
        "key": about.key,
        "reference": about.reference,
    }
    if row.charge is None:
        return known
    return known | {
        "number": row.charge.number,
        "capture": row.charge.capture,
        "environment": row.charge.environment,
        "merchant": row.charge.merchant,
    }


def _theirs(row: Difference) -> Mapping[str, object]:
    if "theirs" in row.detail:
        return row.detail["theirs"] or {}
    return {name: value for name, value in row.detail.items() if name not in {"by", "ours"}}


@admin.register(Reconciliation)
class ReconciliationAdmin(Office):
    list_display = [
        written.instant("at", gettext_lazy("compared")),
        written.plain("gateway", gettext_lazy("provider")),
        written.instant("since", gettext_lazy("from")),
        written.instant("until", gettext_lazy("until")),
        written.plain("source", gettext_lazy("source")),
        written.plain("matched", gettext_lazy("the same")),
        written.plain("different", gettext_lazy("different")),
    ]
    list_filter = [ByGateway]
    ordering = ["-at"]

    def facts(self, row: Reconciliation) -> Sequence[Fact]:
        return [
            (_("Compared"), written.at(row.at)),
            (_("Provider"), f"{row.gateway} · {row.environment} · {row.merchant}"),
            (_("From"), written.at(row.since)),
            (_("Until"), written.at(row.until)),
            (_("Source"), row.source),
            (_("The same"), row.matched),
            (_("Different"), row.different),
            (_("Who"), written.person(row.actor, queries.people([row.actor]))),
        ]


@admin.register(StoredNotice)
class StoredNoticeAdmin(Office):
    list_display = [
        written.instant("received_at", gettext_lazy("received")),
        written.plain("gateway", gettext_lazy("provider")),
        written.plain("kind", gettext_lazy("kind")),
        written.plain("about", gettext_lazy("about")),
        written.column(
            gettext_lazy("state"), lambda row: written.notice_state(row.state), ordering="state"
        ),
        written.plain("reason", gettext_lazy("reason")),
        written.instant("processed_at", gettext_lazy("processed")),
    ]
    list_filter = ["state", ByGateway]
    search_fields = ["event_id__exact"]
    search_help_text = gettext_lazy("The provider's name of the notice")
    ordering = ["-id"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        forged = queries.forged()
        title = _("Notices (%(count)s of which nobody knows who sent them)") % {"count": forged}
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[StoredNotice]:
        return super().get_queryset(request).defer("body_digest")

    def facts(self, row: StoredNotice) -> Sequence[Fact]:
        return [
            (_("Kind"), row.kind or written.NOTHING),
            (_("Status"), written.notice_state(row.state)),
            (_("Reason"), row.reason or written.NOTHING),
            (_("Provider"), row.gateway),
            (_("The provider's name of it"), row.event_id),
            (_("About"), row.about or written.NOTHING),
            (_("Received"), written.at(row.received_at)),
            (_("Processed"), written.at(row.processed_at)),
        ]

    def tables(self, row: StoredNotice) -> Sequence[Table]:
        return [
            Table(
                gettext_lazy("Charges that it names"),
                [gettext_lazy("Charge")],
                [[written.link(each)] for each in queries.charges_named_by(row)],
            )
        ]
