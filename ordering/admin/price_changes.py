"""New versions that were announced to everybody: whom they reached, and their withdrawal."""

from collections.abc import Mapping, Sequence

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.admin import written
from payments.admin.office import Act, Doing, Fact, Office, Table, trail
from payments.admin.written import Label
from plans.models import PriceChange
from plans.queries import price_changes as queries
from plans.services import price_changes

_REFUSALS: Mapping[type[Exception], Label] = {
    price_changes.ReasonMissing: gettext_lazy("Say why."),
    price_changes.WithdrawnBefore: gettext_lazy("It is withdrawn already."),
    price_changes.TooLate: gettext_lazy(
        "It can no longer be withdrawn: on the last day before it, it is as good as in force."
    ),
}


def _withdraw(doing: Doing) -> str:
    price_changes.withdraw(
        price_change_id=doing.row.pk, reason=doing.reason, actor=doing.actor, now=doing.now
    )
    return _("It is withdrawn. Every customer gets back what they had, and is told by mail.")


@admin.register(PriceChange)
class PriceChangeAdmin(Office):
    list_display = ["version", "effective_on", "announced_at", "withdrawn_at"]
    list_select_related = ["version__plan"]
    related = ["version__plan"]
    ordering = ["-effective_on", "-id"]
    acts = (
        Act(
            name="withdraw",
            label=gettext_lazy("Withdraw"),
            about=gettext_lazy(
                "Customers keep the version that they have. Whoever was told of the change is told that"
                " it does not come. Who chose the new version keeps it."
            ),
            do=_withdraw,
            is_offered=lambda row: row.withdrawn_at is None,
            refusals=_REFUSALS,
            is_grave=True,
        ),
    )

    def facts(self, row: PriceChange) -> Sequence[Fact]:
        reached = row.repricings
        waiting = 0 if row.withdrawn_at else queries.to_reprice(row).count()
        return [
            (_("Plan"), str(row.version)),
            (_("For everybody from"), row.effective_on),
            (_("Announced"), written.at(row.announced_at)),
            (_("Withdrawn"), written.at(row.withdrawn_at)),
            (_("Customers reached"), reached.values("organisation").distinct().count()),
            (_("Customers still to be reached"), waiting),
            (
                _("Mails to roots still to be written"),
                queries.to_tell().filter(price_change=row).count(),
            ),
            (_("Brought back"), reached.filter(undone_at__isnull=False).count()),
        ]

    def tables(self, row: PriceChange) -> Sequence[Table]:
        return [trail("price_change", row)]
