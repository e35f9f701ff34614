import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import Organisation, User
from cancellation.enums import Reason, ReviewState
from plans.models import CancellationTerms


class Review(models.Model):
    """What a root was shown of the end of their contract; it can be confirmed once, until `expires_at`.

    `shown`: what binds of it (cancellation.rules.binding), `digest` its SHA-256. `stepped_up_at`: when
    its user signed in again for this very act; `wrong_passwords`: how often that failed. Rule: F71.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="cancellation_reviews"
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    terms = models.ForeignKey(CancellationTerms, on_delete=models.PROTECT, related_name="+")
    shown = models.JSONField()
    digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=9, choices=ReviewState, default=ReviewState.OPEN)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    stepped_up_at = models.DateTimeField(null=True, blank=True)
    wrong_passwords = models.PositiveSmallIntegerField(default=0)
    replaces = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaced_by"
    )
    differences = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "id"], name="cancellation_review_of_organisation"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")),
                name="cancellation_review_expires_later",
            ),
            models.CheckConstraint(
                condition=~Q(state=ReviewState.CONFIRMED) | Q(stepped_up_at__isnull=False),
                name="cancellation_review_confirmed_by_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-created_at"], name="cancellation_review_by"),
        ]

    def __str__(self) -> str:
        return f"cancellation review {self.pk}"


class Cancellation(models.Model):
    """The end of an organisation's contract, ordered by its root. At most one stands.

    `end_on` (half open) is the organisation's `closed_on` while it stands: dates alone decide what may
    be used. `ticked`: the texts agreed to, by their place. `closed_at`: what was contracted has been
    ended; `settled_at`: nothing more is collected by itself, and the payment methods are gone;
    `next_look_at`: when that is asked again, `settlement_told_at`: staff know that it takes long.
    `reopened_at`: the organisation came back, so that it stands no more. Rule: S1-28, S1-29.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="cancellations"
    )
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="cancellation")
    terms = models.ForeignKey(CancellationTerms, on_delete=models.PROTECT, related_name="+")
    ticked = models.JSONField()
    ordered_at = models.DateTimeField()
    ordered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    stepped_up_at = models.DateTimeField()
    end_on = models.DateField()
    data_until_on = models.DateField()
    reason = models.CharField(max_length=16, choices=Reason, blank=True)
    reason_text = models.TextField(blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=120, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    settlement_told_at = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)
    reopened_at = models.DateTimeField(null=True, blank=True)
    reopened_by = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(withdrawn_at=None, reopened_at=None),
                name="cancellation_one_stands",
            ),
            models.UniqueConstraint(
                fields=["organisation", "id"], name="cancellation_of_organisation"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by="")
                | Q(withdrawn_at__isnull=False, closed_at=None) & ~Q(withdrawn_by=""),
                name="cancellation_withdrawn_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(settled_at=None) | Q(closed_at__isnull=False),
                name="cancellation_settled_once_closed",
            ),
            models.CheckConstraint(
                condition=Q(reopened_at=None, reopened_by="")
                | Q(reopened_at__isnull=False, closed_at__isnull=False) & ~Q(reopened_by=""),
                name="cancellation_reopened_once_closed",
            ),
            models.CheckConstraint(
                condition=Q(stepped_up_at__lte=F("ordered_at")),
                name="cancellation_signed_in_before",
            ),
            models.CheckConstraint(
                condition=Q(data_until_on__gte=F("end_on")), name="cancellation_data_until_after"
            ),
        ]
        indexes = [
            models.Index(
                fields=["end_on"],
                condition=Q(withdrawn_at=None, closed_at=None),
                name="cancellation_to_close",
            ),
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False, reopened_at=None),
                name="cancellation_to_settle",
            ),
        ]

    def __str__(self) -> str:
        return f"cancellation {self.pk}"


class LastDayChange(models.Model):
    """Staff set another last day. Both days half open, as `Cancellation.end_on`."""

    cancellation = models.ForeignKey(
        Cancellation, on_delete=models.PROTECT, related_name="last_day_changes"
    )
    before_on = models.DateField()
    after_on = models.DateField()
    reason = models.TextField()
    at = models.DateTimeField()
    by = models.CharField(max_length=120)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="last_day_change_has_a_reason"),
            models.CheckConstraint(
                condition=~Q(before_on=F("after_on")), name="last_day_change_changes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cancellation}: {self.before_on} to {self.after_on}"


class ReceiptDocument(models.Model):
    """The archived PDF of a cancellation's receipt, with its hash; made once, never remade.

    It says what was confirmed. How the last day was moved later, or that it was withdrawn, is on the page.
    """

    cancellation = models.OneToOneField(
        Cancellation, on_delete=models.PROTECT, primary_key=True, related_name="receipt"
    )
    number = models.CharField(max_length=80, unique=True)
    pdf = models.BinaryField()
    sha256 = models.BinaryField(max_length=32)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"receipt {self.number}"
