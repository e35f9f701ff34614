"""What a root was shown, and what was saved of it."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Organisation
from ordering.enums import ReviewState
from ordering.models import Review


def review_of(organisation: Organisation, public_id: UUID) -> Review | None:
    """Return an organisation's review, with who asked for it and the one that replaced it, if any."""
    return (
        Review.objects.select_related("replaced_by", "organisation", "user")
        .filter(organisation=organisation, public_id=public_id)
        .first()
    )


def saved(organisation: Organisation) -> QuerySet[Review]:
    """Return what was ordered, the newest first."""
    return Review.objects.filter(organisation=organisation, state=ReviewState.SAVED).order_by(
        "-saved_at", "-pk"
    )
