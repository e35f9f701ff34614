"""The groups that a root made, and who is in them. Rule: S2-11."""

from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.models import Organisation
from seats.models import Group


def groups_of(organisation: Organisation) -> QuerySet[Group]:
    """Return an organisation's groups by name; "Auto Deactivation" is none of them."""
    return Group.objects.filter(organisation=organisation).order_by("name", "pk")


def with_sizes(organisation: Organisation) -> QuerySet[Group]:
    """Return an organisation's groups with `size`, how many accounts are in each."""
    return groups_of(organisation).annotate(size=Count("members"))


def group(organisation: Organisation, public_id: UUID) -> Group | None:
    """Return a group of the organisation; None where it has no such one."""
    return groups_of(organisation).filter(public_id=public_id).first()
