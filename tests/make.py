"""Builders: the smallest valid row of each kind, with what a test cares about as keywords."""

import itertools
from datetime import UTC, date, datetime

from accounts import services as accounts
from accounts.enums import Language, Role
from accounts.models import Membership, Organisation

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
ACTOR = "system:test"

_count = itertools.count(1)


def organisation(
    *,
    reference: str = "",
    name: str = "Aoba Devices",
    country: str = "JP",
    currency: str = "JPY",
    language: Language = Language.JA,
    customer_since: date = date(2026, 1, 1),
    now: datetime = NOW,
) -> Organisation:
    return accounts.create_organisation(
        accounts.NewOrganisation(
            reference=reference or f"org-{next(_count)}",
            name=name,
            country=country,
            currency=currency,
            language=language,
            customer_since=customer_since,
            billing_postal_code="980-0811",
            billing_address="宮城県仙台市青葉区一番町1-2-3",
        ),
        actor=ACTOR,
        now=now,
    )


def member(
    organisation: Organisation,
    *,
    role: Role = Role.MEMBER,
    email: str = "",
    password: str = PASSWORD,
    now: datetime = NOW,
) -> Membership:
    """Register a person; the first of an organisation becomes its root whatever `role` says."""
    return accounts.register(
        organisation_id=organisation.pk,
        email=email or f"person-{next(_count)}@example.com",
        name="Hanako Sato",
        role=role,
        password=password,
        actor=ACTOR,
        now=now,
    )
