"""What a root was shown, and what was saved of it."""

from uuid import UUID

from django.db.models import CharField, F, Func, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat, Left

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


def numbered(found: QuerySet[Review], typed: str) -> QuerySet[Review]:
    """Return those saved orders whose number has what was typed in it. Rule: Review.number."""
    day = Func(
        F("saved_at"),
        template="to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYMMDD')",
        output_field=CharField(),
    )
    number = Concat(
        Value("PL-"),
        day,
        Value("-"),
        Left(Cast("public_id", TextField()), 6),
        output_field=CharField(),
    )
    return found.alias(number_written=number).filter(number_written__icontains=typed.strip())
