"""What of ours a provider's notice is about. Rule: R8."""

from collections.abc import Sequence

from django.db.models import Q

from payments.enums import REFUND_LIVE, ChargeState
from payments.gateways.base import Account
from payments.models import Charge, PaymentMethod, Refund


def charges_named(slug: str, account: Account, references: Sequence[str]) -> tuple[Charge, ...]:
    """Return the attempts of an account that have one of these keys, references or captures."""
    return tuple(
        Charge.objects.filter(
            Q(key__in=references) | Q(reference__in=references) | Q(capture__in=references),
            gateway=slug,
            environment=account.environment,
            merchant=account.merchant,
        ).order_by("pk")
    )


def refunds_named(slug: str, account: Account, references: Sequence[str]) -> tuple[Refund, ...]:
    """Return the refunds of an account that have one of these keys or references."""
    return tuple(
        Refund.objects.filter(
            Q(key__in=references) | Q(reference__in=references),
            charge__gateway=slug,
            charge__environment=account.environment,
            charge__merchant=account.merchant,
        ).order_by("pk")
    )


def methods_named(
    slug: str, account: Account, references: Sequence[str]
) -> tuple[PaymentMethod, ...]:
    """Return the methods of an account whose payer has one of these names."""
    return tuple(
        PaymentMethod.objects.filter(
            gateway=slug,
            environment=account.environment,
            merchant=account.merchant,
            payer__in=references,
        ).order_by("pk")
    )


def nameless_refunds(charge_ids: Sequence[int]) -> tuple[Refund, ...]:
    """Return the refunds of these charges that are under way and have no name at the provider yet."""
    return tuple(
        Refund.objects.filter(
            charge_id__in=charge_ids, state__in=sorted(REFUND_LIVE), reference=""
        ).order_by("pk")
    )


def is_paid_otherwise(charge: Charge, references: Sequence[str]) -> bool:
    """Return whether an attempt is paid by another capture than the ones named here."""
    return charge.state == ChargeState.SUCCEEDED and {charge.capture, charge.reference}.isdisjoint(
        references
    )
