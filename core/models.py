from django.db import models
from django.db.models import F, Q

from core.enums import WorkState


class Work(models.Model):
    """A due thing: found by its state, claimed with a lease, ended done or parked. Rule: R1."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=120)
    queue = models.CharField(max_length=20)
    payload = models.JSONField(default=dict)
    organisation_id = models.BigIntegerField(null=True)
    state = models.CharField(max_length=8, choices=WorkState, default=WorkState.DUE)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    again = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True)
    owner = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "work"
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="work_kind_key"),
            models.CheckConstraint(
                condition=Q(state=WorkState.DUE, ended_at=None)
                | Q(~Q(state=WorkState.DUE), ended_at__isnull=False),
                name="work_ended_at_iff_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state=WorkState.PARKED) | (~Q(reason="") & ~Q(owner="")),
                name="work_parked_has_reason_and_owner",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "due_at"], condition=Q(state=WorkState.DUE), name="work_due"
            ),
            models.Index(fields=["ended_at"], condition=Q(state=WorkState.DONE), name="work_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Mail(models.Model):
    """A mail to be sent, written with the change that it tells of. Rule: R2."""

    id = models.BigAutoField(primary_key=True)
    message_id = models.CharField(max_length=120, unique=True)
    from_address = models.CharField(max_length=320)
    to = models.JSONField()
    reply_to = models.CharField(max_length=320, blank=True, default="", db_default="")
    subject = models.CharField(max_length=500)
    text = models.TextField()
    html = models.TextField(blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.message_id


class AuditEntry(models.Model):
    """Who did what to which row, and when; one hash chain per organisation. Rule: R15.

    `chain` is the organisation's id, or 0 for what concerns the vendor alone. Triggers refuse
    every change and deletion.
    """

    id = models.BigAutoField(primary_key=True)
    chain = models.BigIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    details = models.JSONField(default=dict)
    prev = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)

    class Meta:
        verbose_name_plural = "audit entries"
        constraints = [
            models.UniqueConstraint(F("chain"), F("seq").desc(), name="audit_chain_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class Heartbeat(models.Model):
    """When a kind of background process was last seen at work. Rule: R12."""

    name = models.CharField(max_length=60, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
