"""How organisations pay: each method with its history; of the provider's name for a payer, its end."""

from collections.abc import Mapping, Sequence

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.work import ReasonMissing
from payments.admin import written
from payments.admin.office import Act, Doing, Fact, Office, Table, history
from payments.admin.waits import ByGateway, waits
from payments.admin.written import Label
from payments.enums import MethodState
from payments.models import PaymentMethod
from payments.queries import office as queries
from payments.services import asking, methods

WORDS = {
    "review": gettext_lazy("under review for more than three days"),
    "broken": gettext_lazy("broken"),
}
_ENDED = {MethodState.DETACHED, MethodState.REJECTED}
REFUSALS: Mapping[type[Exception], Label] = {
    ReasonMissing: gettext_lazy("Say why."),
    methods.NoSuchMethod: gettext_lazy("It is detached already."),
    methods.ChargeUnderWay: gettext_lazy(
        "A charge by it is under way: wait until it is decided, or decide it."
    ),
    asking.NothingToAsk: gettext_lazy("It is detached or rejected: there is nothing to ask."),
}


def _ask_again(doing: Doing) -> str:
    asking.about_method(
        method_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("The provider is asked now. Load this page again in a moment.")


def _detach(doing: Doing) -> str:
    methods.detach(method_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now)
    return _("It is detached. The root of the organisation is told, and may add another one.")


@admin.register(PaymentMethod)
class PaymentMethodAdmin(Office):
    list_display = [
        written.plain("label", gettext_lazy("payment method")),
        written.plain("state", gettext_lazy("state")),
        "organisation",
        written.plain("gateway", gettext_lazy("provider")),
        written.instant("state_at", gettext_lazy("since")),
        written.instant("next_look_at", gettext_lazy("next look")),
        written.plain("code", gettext_lazy("code")),
    ]
    related = ["organisation", "registered_by"]
    list_select_related = ["organisation"]
    list_filter = [waits(queries.METHODS, WORDS), "state", ByGateway]
    search_fields = [
        "key__exact",
        "label__istartswith",
        "organisation__reference__exact",
        "organisation__name__istartswith",
    ]
    search_help_text = gettext_lazy("Key, label, or the organisation")
    ordering = ["-state_at"]
    acts = (
        Act(
            name="look",
            label=gettext_lazy("Ask the provider now"),
            about=gettext_lazy(
                "The provider is asked how the payer stands, and the answer is stored."
            ),
            do=_ask_again,
            is_offered=lambda row: row.state not in _ENDED,
            refusals=REFUSALS,
        ),
        Act(
            name="detach",
            label=gettext_lazy("Detach"),
            about=gettext_lazy(
                "It is charged no more, and the provider is to forget the payer. The root is told, and"
                " may add another payment method."
            ),
            do=_detach,
            is_offered=lambda row: row.state not in _ENDED,
            refusals=REFUSALS,
            is_grave=True,
        ),
    )

    def named(self, row: PaymentMethod) -> str:
        return f"{row.gateway} {row.label or row.key}"

    def facts(self, row: PaymentMethod) -> Sequence[Fact]:
        return [
            (_("Status"), row.get_state_display()),
            (_("Since"), written.at(row.state_at)),
            (_("Organisation"), written.link(row.organisation)),
            (_("Shown to the customer as"), row.label or written.NOTHING),
            (_("Provider"), f"{row.gateway} · {row.environment} · {row.merchant}"),
            (_("Our key"), row.key),
            (_("The provider's name for the payer"), written.ending(row.payer) or written.NOTHING),
            (_("Code"), row.code or written.NOTHING),
            (_("Registered by"), row.registered_by.email),
            (_("Registered"), written.at(row.created_at)),
            (_("Active since"), written.at(row.active_since)),
            (_("Next look"), written.at(row.next_look_at)),
            (_("Looks so far"), row.looks),
        ]

    def tables(self, row: PaymentMethod) -> Sequence[Table]:
        return history("method", row)
