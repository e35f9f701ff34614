import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import Organisation, User
from ordering.enums import ReviewState


class Review(models.Model):
    """What a root was shown of an order before it was saved; the order itself once it is.

    `act`: what is wished (ordering.rules.acts); `shown`: what binds of what was shown, `digest` its
    SHA-256 (ordering.rules.binding). It can be saved once, until `expires_at`. One that no longer
    holds is replaced by another, which shows what differs.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="reviews")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    act = models.JSONField()
    shown = models.JSONField()
    digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=8, choices=ReviewState, default=ReviewState.OPEN)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    saved_at = models.DateTimeField(null=True, blank=True)
    saved_by = models.CharField(max_length=120, blank=True)
    replaces = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaced_by"
    )
    differences = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "id"], name="review_of_organisation"),
            models.CheckConstraint(
                condition=Q(state=ReviewState.SAVED, saved_at__isnull=False) & ~Q(saved_by="")
                | ~Q(state=ReviewState.SAVED) & Q(saved_at=None, saved_by=""),
                name="review_saved_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(saved_at=None) | Q(saved_at__lt=F("expires_at")),
                name="review_saved_in_time",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="review_expires_later"
            ),
        ]
        indexes = [
            models.Index(
                fields=["organisation", "-saved_at"],
                condition=Q(state=ReviewState.SAVED),
                name="review_saved",
            ),
        ]

    def __str__(self) -> str:
        return f"review:{self.pk}"

    @property
    def number(self) -> str:
        """The number of the order that it is once saved, to be read out; empty before."""
        if self.saved_at is None:
            return ""
        return f"PL-{self.saved_at:%y%m%d}-{self.public_id.hex[:6].upper()}"
