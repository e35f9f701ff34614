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


class Watermark(models.Model):
    """Up to which instant something was looked through; the row is locked while that goes on."""

    name = models.CharField(max_length=60, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class WebhookEndpoint(models.Model):
    """Where the vendor's product wants to be told of changes.

    `sealed_secret` is what core.sealed made of the secret that signs. `misses`: calls in a row that
    nobody answered; `away_until`: before then nothing is sent there.
    """

    label = models.CharField(max_length=120)
    url = models.CharField(max_length=1000)
    sealed_secret = models.BinaryField(max_length=1000)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    misses = models.PositiveIntegerField(default=0)
    away_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label


class WebhookDelivery(models.Model):
    """An event that is to reach one endpoint. `status`: of the last answer, None without one.

    `body` is what is signed, to the byte. Rule: R2.
    """

    id = models.BigAutoField(primary_key=True)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries"
    )
    event_id = models.CharField(max_length=40)
    event = models.CharField(max_length=60)
    organisation_id = models.BigIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=200, blank=True)
    delivered_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_event_once"),
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(given_up_at=None),
                name="webhook_delivered_or_given_up",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation_id", "created_at"], name="webhook_of_organisation"),
            models.Index(
                fields=["delivered_at"],
                condition=Q(delivered_at__isnull=False),
                name="webhook_delivered",
            ),
        ]

    def __str__(self) -> str:
        return self.event_id
