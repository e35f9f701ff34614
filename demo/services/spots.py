"""Customers order accounts for some months, choose who stays when those end, and cancel."""

from datetime import date, datetime
from uuid import uuid4

from accounts import queries as accounts
from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from cancellation.services import confirming
from core import clock
from demo.rules.customers import Customer
from demo.rules.seasons import Order, Season
from demo.services import payers, teams
from ordering.services import spots as ordering
from ordering.services.spots import Form
from plans import queries as plans
from seats.services import accounts as seats
from seats.services import choices
from spot_orders.rules.spot import Wish


def order(customer: Customer, wanted: Order, *, today: date, at: datetime) -> None:
    """Have a customer's root order accounts as on the pages, and pay for them."""
    organisation, root = _who(customer)
    terms = plans.terms_of_use()
    placed = ordering.place(
        organisation_id=organisation.pk,
        user_id=root.pk,
        form=Form(
            Wish(wanted.accounts, wanted.first_on(today), wanted.months),
            terms.number if terms else None,
            uuid4(),
        ),
        now=at,
    )
    if wanted.is_paid:
        payers.pay(placed, root, at)


def choose(customer: Customer, season: Season, now: datetime) -> None:
    """Have a customer's root choose who stays when the running contract ends, and make a place free."""
    organisation, root = _who(customer)
    actor = f"user:{root.pk}"
    members = Membership.objects.filter(
        organisation=organisation, deactivated_at=None, role=Role.MEMBER
    )
    newest = members.order_by("-registered_at", "-pk").values_list("public_id", flat=True)
    # The story's own people stay, and of the others a few who have been there longest may go.
    named = len(customer.people) - 2
    oldest = members.order_by("registered_at", "pk").values_list("public_id", flat=True)
    for account in newest[1 : 1 + season.kept]:
        choices.protect(organisation_id=organisation.pk, account=account, actor=actor, now=now)
    for account in oldest[named : named + season.lets_go]:
        choices.let_go_first(organisation_id=organisation.pk, account=account, actor=actor, now=now)
    if season.frees:
        gone = members.order_by("-registered_at", "-pk").values_list("pk", flat=True)
        seats.deactivate(
            organisation_id=organisation.pk,
            membership_ids=list(gone[: season.frees]),
            actor=actor,
            now=now,
        )
    teams.forget_late_sign_ins(organisation)


def leave(customer: Customer, *, password: str, at: datetime) -> None:
    """Have a customer's root cancel the contract: read, sign in again, tick every point, confirm."""
    organisation, root = _who(customer)
    with clock.fixed_at(at):
        review = confirming.review(organisation_id=organisation.pk, user_id=root.pk, now=at)
        confirming.sign_in_again(
            organisation_id=organisation.pk,
            review_id=review.public_id,
            user_id=root.pk,
            password=password,
            now=at,
        )
        confirming.confirm(
            organisation_id=organisation.pk,
            review_id=review.public_id,
            user_id=root.pk,
            ticked=range(len(review.terms.boxes)),
            now=at,
        )


def _who(customer: Customer) -> tuple[Organisation, User]:
    organisation = Organisation.objects.get(reference=customer.reference)
    root = accounts.root_of(organisation)
    if root is None:
        raise User.DoesNotExist(customer.reference)
    return organisation, root
