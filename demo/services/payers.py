"""The demo's customers pay: at the gateway sandbox, which is asked as a browser and staff would ask."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import requests
from django.conf import settings

from accounts.models import Organisation, User
from core import clock
from core.mail import SEND_MAIL
from core.models import Mail, Work
from demo.rules.customers import Customer, Pays
from payments.enums import JourneyPurpose, PayableState
from payments.models import Charge, Payable
from payments.services import charges, collecting, journeys, methods, spots
from payments.services.charges import Shown
from payments.services.journeys import Traveller
from spot_orders.models import SpotOrder

# A little after the days on which a declined charge is tried again. Rule: B-14.
_TRIES = tuple(timedelta(days=days, minutes=1) for days in (0, 1, 3, 7))
_TIMEOUT = 10
# Letters of the story's past are not kept: they would be sent by the hundred when the portal starts.
_LETTERS_KEPT = timedelta(days=14)


class NoSandbox(Exception):
    """No gateway sandbox is there: nobody of the demo can have a payment method."""


def find_sandbox() -> None:
    """Raise NoSandbox unless the settings name a sandbox for both companies and it answers."""
    accounts = (settings.PAYPAL, settings.PAID)
    if any(account is None or account.environment != "local" for account in accounts):
        raise NoSandbox
    try:
        requests.get(_page(), timeout=_TIMEOUT)
    except requests.RequestException as fault:
        raise NoSandbox from fault


def register(customer: Customer, at: datetime) -> None:
    """Have a customer's root register how it pays, as it was on an earlier day."""
    organisation = Organisation.objects.get(reference=customer.reference)
    root = User.objects.get(email=f"{customer.people[0][2]}@{customer.domain}")
    with clock.fixed_at(at):
        if customer.pays is Pays.PAID:
            _register_paid(customer, organisation, root, at)
        else:
            _register_paypal(organisation, root, at)


def stop_paying(customer: Customer) -> None:
    """Have PayPal decline a customer's charges from now on."""
    root = f"{customer.people[0][2]}@{customer.domain}"
    _act({"act": "charges", "id": root, "issue": "INSTRUMENT_DECLINED"})


def collect(billed_at: datetime, until: datetime) -> None:
    """Collect what was billed, on the days on which the portal would have."""
    for after in _TRIES:
        at = billed_at + after
        if at > until:
            return
        with clock.fixed_at(at):
            collecting.take_up(at)
            due = Payable.objects.filter(state=PayableState.OPEN, next_charge_at__lte=at)
            for payable_id in list(due.order_by("id").values_list("pk", flat=True)):
                charges.collect(payable_id=payable_id, now=at)
        # PayPal's books are to say when it was paid, as ours do: they are compared each night.
        taken = Charge.objects.filter(created_at=at, gateway="paypal").exclude(capture="")
        for capture in taken.values_list("capture", flat=True):
            _date(capture, at)


def pay(order: SpotOrder, root: User, at: datetime) -> None:
    """Pay a spot order with the registered method, as its root would have on an earlier day."""
    with clock.fixed_at(at):
        charge = spots.pay_with_method(
            order_id=order.pk, shown=Shown(order.gross), actor=f"user:{root.pk}", now=at
        )
    charge.refresh_from_db()
    if charge.gateway == "paypal":
        _date(charge.capture, at)


def forget_letters(now: datetime) -> None:
    """Drop the letters of the story's past before anybody sends them."""
    old = Mail.objects.filter(created_at__lt=now - _LETTERS_KEPT)
    keys = [str(mail_id) for mail_id in old.values_list("pk", flat=True)]
    Work.objects.filter(kind=SEND_MAIL.kind, key__in=keys).delete()
    old.delete()


def _register_paypal(organisation: Organisation, root: User, at: datetime) -> None:
    traveller = Traveller(organisation.pk, root.pk, "demo")
    journey, state = journeys.set_out(
        traveller=traveller, purpose=JourneyPurpose.METHOD, gateway="paypal", now=at
    )
    address = journeys.open_registration(
        journey_id=journey.pk,
        return_url=settings.PORTAL_ORIGIN,
        cancel_url=settings.PORTAL_ORIGIN,
        language=organisation.language,
        now=at,
    )
    answer = requests.post(
        address,
        data={"act": "approve", "email": root.email},
        timeout=_TIMEOUT,
        allow_redirects=False,
    )
    answer.raise_for_status()
    journeys.come_back(traveller=traveller, state=state, purpose=JourneyPurpose.METHOD, now=at)
    journeys.finish(journey_id=journey.pk, now=at)


def _register_paid(
    customer: Customer, organisation: Organisation, root: User, at: datetime
) -> None:
    method = methods.register(
        organisation_id=organisation.pk,
        user_id=root.pk,
        gateway="paid",
        profile=_profile(customer, root),
        now=at,
    )
    _act({"act": "approve_member", "id": method.payer})
    methods.look_at(method_id=method.pk, now=at)


def _date(capture: str, at: datetime) -> None:
    _act({"act": "date_capture", "id": capture, "at": at.isoformat()})


def _profile(customer: Customer, root: User) -> Mapping[str, str]:
    """Return what a company writes into Paid's form; readings are made up with the rest."""
    family, _, given = customer.people[0][1].partition(" ")
    return {
        "companyName": customer.name,
        "companyNameKana": "カブシキガイシャデモ",
        "representativeSei": family,
        "representativeMei": given,
        "representativeSeiKana": "デモ",
        "representativeMeiKana": "デモ",
        "zipCode": customer.postal_code,
        "prefecture": next(
            each
            for each in ("神奈川県", "東京都", "兵庫県", "大阪府", "京都府", customer.address[:3])
            if customer.address.startswith(each)
        ),
        "address1": customer.address[3:25],
        "address2": "1-1",
        "clerkSei": family,
        "clerkMei": given,
        "clerkSeiKana": "デモ",
        "clerkMeiKana": "デモ",
        "tel": "03-0000-0000",
        "email": root.email,
    }


def _act(form: Mapping[str, str]) -> None:
    requests.post(_page(), data=form, timeout=_TIMEOUT, allow_redirects=False).raise_for_status()


def _page() -> str:
    if settings.PAYPAL is None:
        raise NoSandbox
    return f"{settings.PAYPAL.endpoint}/sandbox/"
