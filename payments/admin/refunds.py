"""Money given back: each attempt with its history, and what staff do about what failed."""

from collections.abc import Mapping, Sequence

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import money
from core.work import ReasonMissing
from payments.admin import written
from payments.admin.amounts import minor
from payments.admin.forms import ByHandForm, KnownAsForm
from payments.admin.office import Act, Doing, Fact, Office, Refused, Table, history
from payments.admin.waits import waits
from payments.admin.written import Label
from payments.enums import REFUND_LIVE, RefundState
from payments.models import Refund
from payments.queries import office as queries
from payments.queries import refunds as backs
from payments.services import asking, refunds

WORDS = {
    "failed": gettext_lazy("failed, not made good"),
    "stuck": gettext_lazy("nobody knows"),
}
REFUSALS: Mapping[type[Exception], Label] = {
    ReasonMissing: gettext_lazy("Say why."),
    refunds.ReasonMissing: gettext_lazy("Say why."),
    refunds.ReferenceMissing: gettext_lazy("Say by which name it is known."),
    refunds.ReferenceTaken: gettext_lazy(
        "Another refund of the same charge is recorded with this reference."
    ),
    refunds.NotFailed: gettext_lazy("It has not failed, or all of it is made good."),
    refunds.NotUndecided: gettext_lazy("It is known what became of it."),
    refunds.NotKnownThere: gettext_lazy(
        "The provider has no refund of this name, or cannot be reached now."
    ),
    refunds.NotAnswered: gettext_lazy(
        "The provider cannot be reached now. Try again in a few minutes."
    ),
    refunds.StillAsked: gettext_lazy("The portal is still finding out. Ask again in 72 hours."),
    refunds.AmountDiffers: gettext_lazy(
        "The provider has a refund of this name, of another amount or currency."
    ),
    asking.NothingToAsk: gettext_lazy("It is decided already, or nothing was sent."),
}


def _by_hand(doing: Doing) -> str:
    row: Refund = doing.row
    try:
        refunds.record_by_hand(
            refund_id=row.pk,
            amount=minor(doing.typed["amount"], row.currency),
            reference=doing.typed["reference"],
            reason=doing.reason,
            actor=doing.actor,
            now=doing.now,
        )
    except refunds.MoreThanFailed as left:
        most = money.written(left.args[0], row.currency)
        raise Refused(
            _("No more than %(amount)s of it waits to be given back.") % {"amount": most}
        ) from left
    return _("It is recorded, and the customer is told.")


def _try_again(doing: Doing) -> str:
    refunds.try_again(refund_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now)
    return _("The provider is asked for it anew.")


def _ask_again(doing: Doing) -> str:
    asking.about_refund(
        refund_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("The provider is asked now. Load this page again in a moment.")


def _known_as(doing: Doing) -> str:
    refunds.decide_made(
        refund_id=doing.row.pk,
        reference=doing.typed["reference"],
        reason=doing.reason,
        actor=doing.actor,
        now=doing.now,
    )
    return _("What the provider says of it is stored.")


def _not_made(doing: Doing) -> str:
    row = refunds.decide_not_made(
        refund_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    if row.state != RefundState.FAILED:
        raise Refused(_("The provider was asked once more, and knows of it. Look how it stands."))
    return _("It has failed: give the money back by hand, or try again.")


def _is_open(row: Refund) -> bool:
    return bool(_open_amount(row))


def _open_amount(row: Refund) -> int:
    if row.state != RefundState.FAILED:
        return 0
    waiting = next(iter(backs.unanswered(pk=row.pk)), None)
    return waiting.open_amount if waiting else 0


@admin.register(Refund)
class RefundAdmin(Office):
    list_display = [
        written.plain("key", gettext_lazy("refund")),
        written.plain("state", gettext_lazy("state")),
        written.plain("kind", gettext_lazy("kind")),
        "organisation",
        written.amount("amount", gettext_lazy("amount")),
        written.column(gettext_lazy("of"), lambda row: row.charge.number),
        written.column(gettext_lazy("provider"), lambda row: row.charge.gateway),
        written.instant("created_at", gettext_lazy("made")),
        written.instant("decided_at", gettext_lazy("decided")),
        written.plain("code", gettext_lazy("code")),
    ]
    related = ["organisation", "charge__payable", "credit_note", "instead_of"]
    list_select_related = ["organisation", "charge"]
    list_filter = [waits(queries.REFUNDS, WORDS), "state", "kind", "is_by_hand"]
    search_fields = [
        "key__exact",
        "reference__exact",
        "charge__number__exact",
        "charge__capture__exact",
        "organisation__reference__exact",
        "organisation__name__istartswith",
    ]
    search_help_text = gettext_lazy("Key, number, reference, capture, or the organisation")
    ordering = ["-id"]
    acts = (
        Act(
            name="by-hand",
            label=gettext_lazy("Record as given back by hand"),
            about=gettext_lazy(
                "Record that the money was given back outside the portal, by a transfer for example."
            ),
            do=_by_hand,
            form=ByHandForm,
            is_offered=_is_open,
            refusals=REFUSALS,
            facts=lambda row: [
                (_("Waits to be given back"), money.written(_open_amount(row), row.currency))
            ],
        ),
        Act(
            name="again",
            label=gettext_lazy("Try again"),
            about=gettext_lazy("The provider is asked for what failed anew, with a new key."),
            do=_try_again,
            is_offered=_is_open,
            refusals=REFUSALS,
        ),
        Act(
            name="look",
            label=gettext_lazy("Ask the provider again"),
            about=gettext_lazy("The provider is asked how the refund stands."),
            do=_ask_again,
            is_offered=lambda row: row.state in REFUND_LIVE - {RefundState.PREPARED},
            refusals=REFUSALS,
        ),
        Act(
            name="known-as",
            label=gettext_lazy("It was made"),
            about=gettext_lazy(
                "Say by which name the refund stands on the provider's own pages. The provider is"
                " asked for it, and what it says is stored."
            ),
            do=_known_as,
            form=KnownAsForm,
            is_offered=lambda row: row.state == RefundState.UNDECIDED,
            refusals=REFUSALS,
        ),
        Act(
            name="not-made",
            label=gettext_lazy("It was not made"),
            about=gettext_lazy(
                "Say so only after you have looked at the provider's own pages. The provider is asked"
                " once more; if it knows nothing, the refund has failed."
            ),
            do=_not_made,
            is_offered=lambda row: row.state == RefundState.UNDECIDED,
            refusals=REFUSALS,
            is_grave=True,
        ),
    )

    def named(self, row: Refund) -> str:
        return _("Refund %(key)s for %(number)s") % {"key": row.key, "number": row.charge.number}

    def facts(self, row: Refund) -> Sequence[Fact]:
        people = queries.people([row.requested_by, row.approved_by])
        return [
            (_("Status"), row.get_state_display()),
            (_("Kind"), row.get_kind_display()),
            (_("Organisation"), written.link(row.organisation)),
            (_("Of the charge"), written.link(row.charge, row.charge.key)),
            (_("Document"), written.link(row.charge.payable, row.charge.number)),
            (_("Amount"), money.written(row.amount, row.currency)),
            (_("Waits to be given back"), money.written(_open_amount(row), row.currency)),
            (_("Credit note"), written.link(row.credit_note)),
            (_("Reason"), row.reason),
            (_("Asked for by"), written.person(row.requested_by, people)),
            (_("Approved by"), written.person(row.approved_by, people)),
            (_("Made by hand"), written.yes_or_no(row.is_by_hand)),
            (_("Instead of"), written.link(row.instead_of)),
            (_("Key"), row.key),
            (_("Reference at the provider"), row.reference or written.NOTHING),
            (_("Code"), row.code or written.NOTHING),
            (_("Made"), written.at(row.created_at)),
            (_("Sent first with this key"), written.at(row.sent_at)),
            (_("Decided"), written.at(row.decided_at)),
            (_("Next look"), written.at(row.next_look_at)),
        ]

    def tables(self, row: Refund) -> Sequence[Table]:
        return history("refund", row)
