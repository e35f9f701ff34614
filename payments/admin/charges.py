"""Attempts to take money: what waits first; each with its history and what staff may safely do."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Case, F, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import money
from core.work import ReasonMissing
from payments.admin import written
from payments.admin.office import Act, Doing, Fact, Office, Refused, Table, history
from payments.admin.waits import ByGateway, waits
from payments.enums import LIVE, ChargeState
from payments.models import Charge
from payments.queries import office as queries
from payments.rules import numbers
from payments.services import asking, charges
from payments.services.charges.results import DIFFERS

# What nobody knows stands before what goes on by itself.
_FIRST = (
    ChargeState.UNDECIDED,
    ChargeState.SENT,
    ChargeState.PENDING,
    ChargeState.STARTED,
    ChargeState.PREPARED,
)
WORDS = {
    "undecided": gettext_lazy("being confirmed"),
    "lost": gettext_lazy("sent, and never answered"),
    "pending": gettext_lazy("processing for more than a day"),
}


_INITIATORS = {
    "schedule": gettext_lazy("the portal"),
    "customer": gettext_lazy("the customer"),
    "staff": gettext_lazy("staff"),
}


def _initiator(row: Charge) -> str:
    return str(_INITIATORS.get(row.initiator, row.initiator))


def _ask_again(doing: Doing) -> str:
    asking.about_charge(
        charge_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("The provider is asked now. Load this page again in a moment.")


def _took_nothing(doing: Doing) -> str:
    done = asking.close_not_taken(
        charge_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    if not done:
        raise Refused(
            _("The provider was asked once more, and knows of it. Look how it stands now.")
        )
    return _("It took nothing. What is owed is charged again when its time comes.")


def _is_this_payment(doing: Doing) -> str:
    charges.decide_taken(
        charge_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("The money is booked for this document.")


def _give_up(doing: Doing) -> str:
    done = charges.cancel(
        charge_id=doing.row.pk,
        code="given_up",
        reason=doing.reason.strip(),
        actor=doing.actor,
        now=doing.now,
    )
    if not done:
        raise Refused(_("It may have taken the money meanwhile. Look how it stands now."))
    return _("It was given up. Nothing was taken.")


_ABOUT = {
    ReasonMissing: gettext_lazy("Say why."),
    charges.NotNow: gettext_lazy("The provider cannot be reached now. Try again in a few minutes."),
    charges.Stopped: gettext_lazy(
        "The provider refuses us: its account in the settings has to be put right first."
    ),
    charges.AccountDiffers: gettext_lazy(
        "It belongs to another account at the provider than the settings name."
    ),
    asking.NothingToAsk: gettext_lazy("It is decided already, or nothing was sent."),
    asking.StillAsked: gettext_lazy(
        "The portal is still finding out by itself what became of it, and may yet. Wait until 72 hours"
        " are over, or ask the provider again."
    ),
    charges.NotDiffering: gettext_lazy("The provider's answer does not differ any more."),
    charges.StillDiffers: gettext_lazy(
        "What the provider tells is of another amount, currency or account: it cannot be this payment."
    ),
    charges.BookedBefore: gettext_lazy("This money is booked for another attempt already."),
}


@admin.register(Charge)
class ChargeAdmin(Office):
    list_display = [
        written.plain("number", gettext_lazy("number")),
        written.plain("state", gettext_lazy("state")),
        "organisation",
        written.amount("amount", gettext_lazy("amount")),
        written.plain("gateway", gettext_lazy("provider")),
        written.column(gettext_lazy("set going by"), _initiator, ordering="initiator"),
        written.instant("created_at", gettext_lazy("made")),
        written.instant("decided_at", gettext_lazy("decided")),
        written.plain("code", gettext_lazy("code")),
    ]
    related = ["organisation", "payable", "method"]
    list_select_related = ["organisation"]
    list_filter = [waits(queries.CHARGES, WORDS), "state", ByGateway, "initiator"]
    search_fields = [
        "number__exact",
        "key__exact",
        "capture__exact",
        "reference__exact",
        "organisation__reference__exact",
        "organisation__name__istartswith",
    ]
    search_help_text = gettext_lazy(
        "Number, key, capture, the provider's reference, or the organisation"
    )
    acts = (
        Act(
            name="look",
            label=gettext_lazy("Ask the provider again"),
            about=gettext_lazy(
                "The provider is asked how the attempt stands, and its answer is stored. Nothing is"
                " charged twice."
            ),
            do=_ask_again,
            is_offered=lambda row: row.state in LIVE - {ChargeState.PREPARED},
            refusals=_ABOUT,
        ),
        Act(
            name="nothing-taken",
            label=gettext_lazy("It took nothing"),
            about=gettext_lazy(
                "Say so only after you have looked at the provider's own pages. The provider is asked"
                " once more; if it knows nothing, the attempt is closed, and the document can be"
                " charged again."
            ),
            do=_took_nothing,
            is_offered=lambda row: row.state == ChargeState.UNDECIDED,
            refusals=_ABOUT,
            is_grave=True,
        ),
        Act(
            name="this-payment",
            label=gettext_lazy("It is this payment"),
            about=gettext_lazy(
                "The provider's answer names something else than was asked for. Say so only after you"
                " have looked at the provider's own pages: the money is booked for this document,"
                " if amount, currency and account are the same."
            ),
            do=_is_this_payment,
            is_offered=lambda row: row.state == ChargeState.UNDECIDED and row.code == DIFFERS,
            refusals=_ABOUT,
        ),
        Act(
            name="give-up",
            label=gettext_lazy("Give up"),
            about=gettext_lazy(
                "The attempt has taken nothing. It is withdrawn at the provider and closed; the"
                " document can be charged again."
            ),
            do=_give_up,
            is_offered=lambda row: row.state in {ChargeState.PREPARED, ChargeState.STARTED},
            refusals=_ABOUT,
            is_grave=True,
        ),
    )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        rank = Case(
            *(When(state=state, then=Value(place)) for place, state in enumerate(_FIRST)),
            default=Value(len(_FIRST)),
        )
        return [F("decided_at").desc(nulls_first=True), rank, "-id"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Charge], search_term: str
    ) -> tuple[QuerySet[Charge], bool]:
        """Find by the number that the provider was given, too."""
        found, is_doubled = super().get_search_results(request, queryset, search_term)
        *_rest, told = numbers.read(search_term.strip())
        if told.turn > 1:
            found |= queryset.filter(number=told.number, turn=told.turn)
        return found, is_doubled

    def named(self, row: Charge) -> str:
        return _("Charge %(key)s for %(number)s") % {"key": row.key, "number": row.number}

    def facts(self, row: Charge) -> Sequence[Fact]:
        return [
            (_("Status"), row.get_state_display()),
            (_("Organisation"), written.link(row.organisation)),
            (_("Document"), written.link(row.payable, row.number)),
            (_("Amount"), money.written(row.amount, row.currency)),
            (_("Payment method"), _method(row)),
            (_("Provider"), f"{row.gateway} · {row.environment} · {row.merchant}"),
            (_("Set going by"), _initiator(row)),
            (_("Number at the provider"), row.number_there),
            (_("Key"), row.key),
            (_("Reference at the provider"), row.reference or written.NOTHING),
            (_("Capture"), row.capture or written.NOTHING),
            (_("Code"), row.code or written.NOTHING),
            (_("Made"), written.at(row.created_at)),
            (_("Sent first with this key"), written.at(row.sent_at)),
            (_("Last call begun"), written.at(row.called_at)),
            (_("Decided"), written.at(row.decided_at)),
            (_("Next look"), written.at(row.next_look_at)),
            (_("Looks so far"), row.looks),
            (_("Settled by the provider on"), row.settled_on or written.NOTHING),
        ]

    def tables(self, row: Charge) -> Sequence[Table]:
        return [*history("charge", row), _refunds(row), _differences(row), _notices(row)]


def _method(row: Charge) -> object:
    if row.method is None:
        return _("none: the payer approved this one payment")
    return written.link(row.method, row.method.label or row.method.get_state_display())


def _refunds(row: Charge) -> Table:
    return Table(
        gettext_lazy("Refunds"),
        [
            gettext_lazy("Refund"),
            gettext_lazy("Status"),
            gettext_lazy("Amount"),
            gettext_lazy("Made"),
        ],
        [
            [
                written.link(each, each.key),
                each.get_state_display(),
                money.written(each.amount, each.currency),
                written.at(each.created_at),
            ]
            for each in row.refunds.order_by("id")
        ],
    )


def _differences(row: Charge) -> Table:
    return Table(
        gettext_lazy("Differences from the provider's books"),
        [gettext_lazy("What"), gettext_lazy("Found"), gettext_lazy("Settled")],
        [
            [
                written.link(each, each.get_kind_display()),
                written.at(each.found_at),
                written.at(each.resolved_at),
            ]
            for each in queries.differences_of(row)
        ],
    )


def _notices(row: Charge) -> Table:
    found = queries.notices_about(
        row.gateway, [row.key, row.reference, row.capture], row.created_at
    )
    return Table(
        gettext_lazy("Notices about it"),
        [gettext_lazy("Kind"), gettext_lazy("Status"), gettext_lazy("Received")],
        [
            [
                written.link(each, each.kind),
                written.notice_state(each.state),
                written.at(each.received_at),
            ]
            for each in found
        ],
    )
