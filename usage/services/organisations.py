"""Organisations that a file of usage brings along."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts import services as accounts
from accounts.enums import Language
from accounts.models import Organisation
from accounts.services import NewOrganisation
from core.models import AuditEntry
from core.months import start_of_day
from plans import queries as plans
from plans.services import selections


class NotOnSale(LookupError):
    """The plan has no version that is sold on that day."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How organisations are created. `licence`: a plan's code; `since`: their first day on it."""

    licence: str
    since: date
    country: str
    currency: str
    language: Language


def create_missing(references: Sequence[str], terms: Terms, *, actor: str, now: datetime) -> int:
    """Create the organisations that are not there yet, named as referred to; return how many.

    Each is created with its licence in one transaction, and with automatic invoicing off: the
    month end, which may come at any moment, must not bill its past before its usage is in. Raises
    NotOnSale, NoPrice or NoVendor.
    """
    known = set(
        Organisation.objects.filter(reference__in=list(references)).values_list(
            "reference", flat=True
        )
    )
    version = plans.version_on_sale(terms.licence, terms.since)
    if version is None:
        raise NotOnSale(f"No version of plan {terms.licence} is on sale on {terms.since}.")
    from_at = start_of_day(terms.since, plans.vendor_zone())
    missing = sorted(set(references) - known)
    for reference in missing:
        new = NewOrganisation(
            reference=reference,
            name=reference,
            country=terms.country,
            currency=terms.currency,
            language=terms.language,
            customer_since=terms.since,
            auto_invoicing_off=True,
        )
        with transaction.atomic():
            organisation = accounts.create_organisation(new, actor=actor, now=now)
            selections.select_plan(
                organisation_id=organisation.pk,
                version_id=version.pk,
                steps=1,
                from_at=from_at,
                actor=actor,
                now=now,
            )
    return len(missing)


def let_invoice(references: Sequence[str], *, actor: str, now: datetime) -> None:
    """Switch automatic invoicing on for those whose usage has come in as a whole.

    Those that an import has created are waiting for it; what staff have switched off stays off.
    """
    by_staff = AuditEntry.objects.filter(chain=OuterRef("pk"), action=accounts.SWITCHED_OFF)
    waiting = Organisation.objects.filter(
        ~Exists(by_staff), reference__in=list(references), auto_invoicing_off=True
    )
    for organisation_id in waiting.order_by("pk").values_list("pk", flat=True):
        accounts.switch_auto_invoicing(
            organisation_id=organisation_id,
            is_off=False,
            actor=actor,
            reason="its usage has been imported",
            now=now,
        )
