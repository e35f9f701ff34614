"""What was captured beyond what is owed is given back, by a refund of exactly that. Rule: F10, B-11."""

from datetime import datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from billing.models import Invoice
from core import money
from payments.models import Charge, Payable, Refund
from payments.queries import refunds as queries
from payments.rules import refunds as rules
from payments.services import letters
from payments.services.moves import SCHEDULE
from payments.services.refunds import rows


def give_back(
    payable: Payable,
    *,
    reason: str,
    actor: str,
    now: datetime,
    credit_note: Invoice | None = None,
    approved_by: str = "",
) -> tuple[Refund, ...]:
    """Prepare the refunds of what was captured beyond what is owed, the newest charges first.

    The caller holds the locks of organisation and payable, and its sums are stored. What is on its
    way already, or failed and waits for staff, is not given back twice: to ask again adds nothing.
    Rule: I09.
    """
    back = queries.given_back(payable.pk)
    amount = rules.surplus(queries.sums_of(payable), back.under_way)
    parts = rules.shares(amount, back.captured)
    charges = {
        charge.pk: charge
        for charge in Charge.objects.select_for_update(no_key=True)
        .filter(pk__in=[part.charge_id for part in parts])
        .order_by("pk")
    }
    made = tuple(
        rows.store(
            charges[part.charge_id],
            part.amount,
            reason=reason,
            actor=actor,
            now=now,
            credit_note=credit_note,
            approved_by=approved_by,
        )
        for part in parts
    )
    for refund in made:
        rows.ask(refund, now)
    return made


@transaction.atomic
def return_surplus(*, payable_id: int, now: datetime) -> tuple[Refund, ...]:
    """Give back what was captured twice, or is not owed any more, and tell staff; safe to run again.

    Rule: F10, R10.
    """
    organisation_id = Payable.objects.values_list("organisation_id", flat=True).get(pk=payable_id)
    accounts.lock(organisation_id)
    return give_surplus_back(rows.locked_payable(payable_id), now)


def give_surplus_back(payable: Payable, now: datetime) -> tuple[Refund, ...]:
    """Do what `return_surplus` does, for a payable that the caller has locked, its organisation first."""
    with translation.override(payable.organisation.language):
        reason = gettext("More was paid for %(number)s than is owed.") % {"number": payable.number}
    made = give_back(payable, reason=reason, actor=SCHEDULE, now=now)
    if made:
        letters.staff_alert(
            _("More was paid than is owed; the surplus is given back"),
            [
                f"{payable.number}: {money.written(refund.amount, refund.currency)}"
                f" · {refund.charge.gateway} {refund.charge.capture}"
                for refund in made
            ],
            organisation_id=payable.organisation_id,
            now=now,
        )
    return made
