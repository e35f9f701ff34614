"""Staff at the back office, as its tests meet them: by HTTP, with the permissions named."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from core import clock
from core.ids import new_key
from core.models import AuditEntry
from payments.enums import ChargeState
from payments.models import Charge, Payable
from payments.services import moves, stops
from tests import make

ASKED = "The customer called"


class AtNow(Client):
    """A browser in whose world it is `make.NOW`, until it is told otherwise."""

    now = make.NOW

    def request(self, **request: Any) -> Any:
        with clock.fixed_at(self.now):
            return super().request(**request)


def staff(*permissions: str, email: str = "") -> tuple[AtNow, User]:
    """Return staff who may see all of the money, and change what is named, signed in."""
    user = User.objects.create_user(
        email or f"{new_key().lower()}@example.com", is_staff=True, registered_at=make.NOW
    )
    user.user_permissions.set(
        Permission.objects.filter(
            codename__startswith="view_",
            content_type__app_label__in=["payments", "billing", "accounts", "core"],
        )
        | Permission.objects.filter(codename__in=permissions)
    )
    client = AtNow(headers={"accept-language": "en"})
    client.force_login(user)
    return client, user


def page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def listing(model: type[Any], query: str = "") -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{query}"


def act(row: Any, name: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_act", args=[row.pk, name])


def do(client: Client, row: Any, name: str, **typed: object) -> Any:
    """Send the form of an act; return the answer, after the redirect that follows success."""
    return client.post(act(row, name), {"reason": ASKED, **typed}, follow=True)


def text(answer: Any) -> str:
    return str(answer.content.decode())


def trail(action: str) -> dict[str, object]:
    """Return the details of the one entry of this action."""
    details: dict[str, object] = AuditEntry.objects.get(action=action).details
    return details


def charge(payable: Payable, state: ChargeState, *, at: datetime = make.NOW) -> Charge:
    """Return an attempt in a state, as it is left behind by whoever made it."""
    made = Charge.objects.create(
        organisation_id=payable.organisation_id,
        payable=payable,
        gateway="paypal",
        environment="local",
        merchant="LOCALMERCHANT",
        key=new_key(),
        number=payable.number,
        description=payable.number,
        amount=payable.gross,
        currency=payable.currency,
        on=at.date(),
        initiator="schedule",
        state=ChargeState.PREPARED,
        created_at=at,
    )
    moves.note_new(made, actor="system:collection", now=at)
    if state is not ChargeState.PREPARED:
        moves.move_charge(made, ChargeState.SENT, now=at, called_at=at, sent_at=at, step="capture")
    if state not in {ChargeState.PREPARED, ChargeState.SENT}:
        moves.move_charge(made, state, now=at, code="test")
    return made


def stop_everything(reason: str) -> None:
    stops.stop(scope=stops.EVERYWHERE, reason=reason, actor=make.ACTOR, now=make.NOW)
