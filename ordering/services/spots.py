"""Extra accounts are ordered for some months. Rule: S2-22…S2-25, R3, R5."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts import services as accounts
from accounts.models import Organisation
from core import canonical
from ordering.queries import positions
from ordering.queries import spots as queries
from ordering.rules import spots as guards
from payments.services import charges
from payments.services import spots as payments
from plans import queries as plans
from spot_orders import services as spot_orders
from spot_orders.enums import SpotState
from spot_orders.models import SpotOrder
from spot_orders.rules.spot import Wish
from spot_orders.services import MovedBefore, NewOrder, OperationTaken

# Why an order was given up that another one took the place of.
REPLACED = "replaced"
_TRIES = 3


class PaymentUnderWay(Exception):
    """An earlier order may be being paid right now, or was a moment ago: `order`. It is not replaced."""

    def __init__(self, order: SpotOrder) -> None:
        super().__init__(order.number)
        self.order = order


@dataclass(frozen=True, slots=True)
class Form:
    """What a root sends: a wish, the number of the terms of use that were ticked, and the form's own key.

    `operation`: given to the form by the server; one form places one order. Rule: R3.
    """

    wish: Wish
    agreed_terms: int | None
    operation: UUID

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what it says."""
        return canonical.digest(
            {
                "accounts": self.wish.accounts,
                "first_on": self.wish.first_on.isoformat(),
                "months": self.wish.months,
                "terms": self.agreed_terms,
            }
        )


def place(*, organisation_id: int, user_id: int, form: Form, now: datetime) -> SpotOrder:
    """Place an order and open what is owed for it; the same form sent again returns the same order.

    An earlier order that nobody has paid gives way to it. Raises Refusal, OperationTaken,
    PaymentUnderWay, and has then placed nothing. Rule: S2-22…S2-24, R3, R5.
    """
    for _ in range(_TRIES):
        made = _made(organisation_id, user_id, form)
        if made is not None:
            return made
        # What is refused leaves an earlier order as it is.
        _new(Organisation.objects.get(pk=organisation_id), form, now)
        earlier = queries.waiting(organisation_id)
        if earlier is not None:
            _give_way(earlier, user_id, now)
        order = _place(organisation_id, user_id, form, earlier, now)
        if order is not None:
            return order
    waits = queries.waiting(organisation_id)
    if waits is None:
        return place(organisation_id=organisation_id, user_id=user_id, form=form, now=now)
    raise PaymentUnderWay(waits)


def _made(organisation_id: int, user_id: int, form: Form) -> SpotOrder | None:
    """Return what this form has placed before. Raises OperationTaken."""
    made = queries.of_operation(organisation_id, form.operation)
    if made is None:
        return None
    if bytes(made.digest) != form.digest or made.placed_by_id != user_id:
        raise OperationTaken(made)
    return made


def _give_way(earlier: SpotOrder, user_id: int, now: datetime) -> None:
    """Give an unpaid order up for the next one. Raises PaymentUnderWay. Rule: R6."""
    try:
        payments.give_up(order_id=earlier.pk, why=REPLACED, actor=f"user:{user_id}", now=now)
    except MovedBefore:
        # It lapsed meanwhile, or what its payer had approved was taken: then it is looked at first.
        earlier.refresh_from_db()
        if earlier.state == SpotState.PAID:
            raise PaymentUnderWay(earlier) from None
    except (
        charges.AttemptUnderWay,
        charges.NotNow,
        charges.Stopped,
        charges.AccountDiffers,
    ) as under_way:
        raise PaymentUnderWay(earlier) from under_way


@transaction.atomic
def _place(
    organisation_id: int, user_id: int, form: Form, earlier: SpotOrder | None, now: datetime
) -> SpotOrder | None:
    """Place it under the organisation's lock; None where another order has come to wait meanwhile."""
    organisation = accounts.lock(organisation_id)
    made = _made(organisation_id, user_id, form)
    if made is not None:
        return made
    if queries.waiting(organisation_id) is not None:
        return None
    order = spot_orders.place(
        organisation_id=organisation_id,
        user_id=user_id,
        new=_new(organisation, form, now),
        now=now,
    )
    payments.open_payable(order=order, now=now)
    if earlier is not None:
        spot_orders.name_successor(order_id=earlier.pk, by_id=order.pk)
    return order


def _new(organisation: Organisation, form: Form, now: datetime) -> NewOrder:
    """Return what is frozen when the order is placed, from what holds now. Raises Refusal."""
    terms = plans.terms_of_use()
    guards.check_agreed(terms.number if terms else None, form.agreed_terms)
    position = positions.position(organisation, now=now)
    priced = queries.priced(position, form.wish)
    return NewOrder(
        offer=priced.offer,
        tax=priced.totals.tax,
        tax_code=priced.totals.code,
        tax_rounding=priced.totals.rounding,
        terms_id=terms.pk if terms else None,
        operation=form.operation,
        digest=form.digest,
    )
