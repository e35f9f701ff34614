import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from allauth.account.models import EmailAddress
from django.db import connection, transaction

from accounts.enums import Changed, Language, PaymentTerms, Role
from accounts.models import ApiKey, Membership, Organisation, User
from core import audit, ids, webhooks
from core.webhooks import Event

_END_SESSIONS = """
    DELETE FROM accounts_session s USING accounts_user u
    WHERE u.id = s.user_id AND NOT u.is_staff
      AND NOT EXISTS (SELECT FROM accounts_membership m
          WHERE m.user_id = s.user_id AND m.deactivated_at IS NULL)
"""
ENTITLEMENTS_CHANGED = "entitlements.changed"
SWITCHED_OFF, SWITCHED_ON = "organisation.auto_invoicing_off", "organisation.auto_invoicing_on"


@dataclass(frozen=True, slots=True)
class NewOrganisation:
    """What is known of a customer when it is created. `country` ISO 3166, `currency` ISO 4217."""

    reference: str
    name: str
    country: str
    currency: str
    language: Language
    customer_since: date
    billing_name: str = ""
    billing_postal_code: str = ""
    billing_address: str = ""
    auto_invoicing_off: bool = False


def lock(organisation_id: int) -> Organisation:
    """Return the organisation, locked until the transaction ends: the first lock of every service.

    Rows that refer to it may still be inserted by others. Raises Organisation.DoesNotExist.
    Rule: R5.
    """
    return Organisation.objects.select_for_update(no_key=True).get(pk=organisation_id)


@transaction.atomic
def create_organisation(new: NewOrganisation, *, actor: str, now: datetime) -> Organisation:
    """Create an organisation without members. Raises IntegrityError where its reference is taken."""
    organisation = Organisation.objects.create(
        reference=new.reference,
        name=new.name,
        billing_name=new.billing_name or new.name,
        billing_postal_code=new.billing_postal_code,
        billing_address=new.billing_address,
        country=new.country,
        currency=new.currency,
        language=new.language,
        customer_since=new.customer_since,
        auto_invoicing_off=new.auto_invoicing_off,
        created_at=now,
    )
    audit.record(
        actor=actor,
        action="organisation.created",
        subject=f"organisation:{organisation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"reference": new.reference, "customer_since": new.customer_since.isoformat()},
    )
    return organisation


@transaction.atomic
def switch_auto_invoicing(
    *, organisation_id: int, is_off: bool, actor: str, reason: str, now: datetime
) -> bool:
    """Have the month end pass an organisation by, or take it up again; return whether that is new.

    Its months wait and are billed in order when it is switched on. Rule: R11.
    """
    organisation = lock(organisation_id)
    if organisation.auto_invoicing_off == is_off:
        return False
    Organisation.objects.filter(pk=organisation.pk).update(auto_invoicing_off=is_off)
    audit.record(
        actor=actor,
        action=SWITCHED_OFF if is_off else SWITCHED_ON,
        subject=f"organisation:{organisation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"reason": reason},
    )
    return True


@transaction.atomic
def set_payment_terms(
    *, organisation_id: int, terms: PaymentTerms, actor: str, now: datetime
) -> bool:
    """Have the invoices to come be due as a payment method has it; return whether that is new.

    Rule: B-10.
    """
    organisation = lock(organisation_id)
    if organisation.payment_terms == terms:
        return False
    Organisation.objects.filter(pk=organisation.pk).update(payment_terms=terms)
    audit.record(
        actor=actor,
        action="organisation.payment_terms",
        subject=f"organisation:{organisation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"before": organisation.payment_terms, "after": str(terms)},
    )
    return True


@transaction.atomic
def close_on(*, organisation_id: int, on: date | None, actor: str, now: datetime) -> bool:
    """End an organisation's time as a customer before `on`, or not at all; return whether that is new.

    Dates alone decide what may be used: nothing ends before the day. Rule: S1-29.
    """
    organisation = lock(organisation_id)
    if organisation.closed_on == on:
        return False
    Organisation.objects.filter(pk=organisation.pk).update(closed_on=on)
    audit.record(
        actor=actor,
        action="organisation.closed_on",
        subject=f"organisation:{organisation.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={
            "before": organisation.closed_on.isoformat() if organisation.closed_on else None,
            "after": on.isoformat() if on else None,
        },
    )
    return True


def tell_entitlements_changed(
    organisations: Iterable[Organisation], *, reason: Changed, now: datetime
) -> None:
    """Have the vendor's product told, after the caller's transaction, to ask again: docs/api.md."""
    webhooks.announce(
        [
            Event(ENTITLEMENTS_CHANGED, each.reference, reason.value, each.pk)
            for each in organisations
        ],
        now,
    )


@transaction.atomic
def register(
    *,
    organisation_id: int,
    email: str,
    name: str,
    actor: str,
    now: datetime,
    role: Role = Role.MEMBER,
    password: str | None = None,
) -> Membership:
    """Register a person with an organisation; the first one becomes its root, whatever `role` says.

    Who registers a person vouches for the address: it counts as confirmed. Without a password the
    person sets one by "Forgot your password?". A user who exists keeps name and password. Raises
    IntegrityError where the person is registered already. Rule: S1-12.
    """
    organisation = lock(organisation_id)
    if not organisation.memberships.exists():
        role = Role.ROOT
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name, registered_at=now)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    membership = Membership.objects.create(
        organisation=organisation, user=user, role=role, registered_at=now
    )
    audit.record(
        actor=actor,
        action="membership.registered",
        subject=f"membership:{membership.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"user": user.pk, "role": str(role)},
    )
    return membership


def end_sessions(user_ids: Iterable[int]) -> int:
    """End the sessions of those of these users who may open nothing any more; return how many.

    Who has an active membership left, or is staff, stays signed in. Rule: F60, ASVS 7.4.2.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{_END_SESSIONS} AND s.user_id = ANY(%s::bigint[])", [ids.array(user_ids)])
        return int(cursor.rowcount)


def end_stray_sessions() -> int:
    """End the sessions of all who had a membership and have none any more; return how many.

    A sign-in that was under way while its account left is one: its session is stored afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_END_SESSIONS}"
            " AND EXISTS (SELECT FROM accounts_membership m WHERE m.user_id = s.user_id)"
        )
        return int(cursor.rowcount)


@transaction.atomic
def create_api_key(
    *, label: str, actor: str, now: datetime, organisation_id: int | None = None
) -> tuple[ApiKey, str]:
    """Create a key and return it with what its holder presents; that is not kept and shown once."""
    prefix, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        prefix=prefix,
        secret_digest=hashlib.sha256(secret.encode()).digest(),
        label=label,
        organisation_id=organisation_id,
        created_at=now,
    )
    audit.record(
        actor=actor,
        action="api_key.created",
        subject=f"api_key:{key.pk}",
        organisation_id=organisation_id,
        at=now,
        details={"prefix": prefix, "label": label},
    )
    return key, f"{prefix}.{secret}"


@transaction.atomic
def revoke_api_key(*, prefix: str, actor: str, reason: str, now: datetime) -> bool:
    """Have a key speak for nobody from now on; return False where there is no live one."""
    key = ApiKey.objects.select_for_update().filter(prefix=prefix, revoked_at=None).first()
    if key is None:
        return False
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=now)
    audit.record(
        actor=actor,
        action="api_key.revoked",
        subject=f"api_key:{key.pk}",
        organisation_id=key.organisation_id,
        at=now,
        details={"prefix": prefix, "label": key.label, "reason": reason},
    )
    return True
