"""A root at the portal and at the providers' pages, as the tests of methods walk them."""

from urllib.parse import urlsplit

from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, User
from core import clock, work
from gateway_sandbox import Sandbox
from payments.models import PaymentMethod
from tests import make

COMPANY = {
    "companyName": "青葉デバイス株式会社",
    "companyNameKana": "アオバデバイス",
    "representativeSei": "佐藤",
    "representativeMei": "花子",
    "representativeSeiKana": "サトウ",
    "representativeMeiKana": "ハナコ",
    "zipCode": "980-0811",
    "prefecture": "宮城県",
    "address1": "仙台市青葉区",
    "address2": "一番町1-2-3",
    "clerkSei": "鈴木",
    "clerkMei": "次郎",
    "clerkSeiKana": "スズキ",
    "clerkMeiKana": "ジロウ",
    "tel": "022-123-4567",
    "email": "keiri@aoba.example",
}


def root_of(organisation: Organisation) -> User:
    """Return the root, registered if there is none yet."""
    membership = organisation.memberships.filter(role="root").first() or make.member(organisation)
    return membership.user


def client_of(user: User) -> Client:
    """Return a browser in which a user is signed in."""
    client = Client()
    client.force_login(user)
    return client


def url(name: str, organisation: Organisation, **kwargs: str) -> str:
    return reverse(name, kwargs={"organisation": organisation.public_id, **kwargs})


def set_out(client: Client, organisation: Organisation) -> str:
    """Choose PayPal; return the address of the page to approve at."""
    answer = client.post(url("payment_method_add", organisation), {"gateway": "paypal"})
    assert answer.status_code == 303, answer.content.decode()
    return answer.headers["Location"]


def path_of(address: str) -> str:
    """Return what a browser asks the portal for when it is sent to an address of it."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def register_paypal(client: Client, organisation: Organisation, sandbox: Sandbox) -> PaymentMethod:
    """Walk the whole way to an active method at PayPal."""
    back = sandbox.paypal.approve(set_out(client, organisation))
    assert client.get(path_of(back)).status_code == 302
    return PaymentMethod.objects.get(organisation=organisation, state="active")


def register_paid(client: Client, organisation: Organisation, **changes: str) -> PaymentMethod:
    """Send the form in; return the method, under review."""
    answer = client.post(
        url("payment_method_form", organisation, gateway="paid"), COMPANY | changes
    )
    assert answer.status_code == 302, answer.content.decode()
    return PaymentMethod.objects.filter(organisation=organisation).latest("pk")


def work_until_done() -> None:
    """Do what is due now, as the worker would."""
    work.plan(clock.now())
    work.run_due()
