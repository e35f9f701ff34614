import uuid

from django.db import models
from django.db.models import F, Q

from accounts.models import Organisation, User
from billing.models import Invoice
from payments.enums import (
    LIVE,
    ChargeState,
    CorrectionKind,
    CorrectionState,
    DifferenceKind,
    Hold,
    Initiator,
    JourneyPurpose,
    JourneyState,
    MethodState,
    NoticeState,
    PayableKind,
    PayableState,
    RefundKind,
    RefundState,
    Step,
)
from payments.rules import numbers
from spot_orders.models import SpotOrder


class PaymentMethod(models.Model):
    """How an organisation pays, as registered with a provider. Rule: S1-03, S1-04, S1-06.

    `key` is our name for it at the provider and `payer` the provider's, which is never shown;
    `label` is what may be. `environment` and `merchant`: with which account of ours (R17).
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="payment_methods"
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    gateway = models.CharField(max_length=20)
    environment = models.CharField(max_length=10)
    merchant = models.CharField(max_length=60)
    key = models.CharField(max_length=20, unique=True)
    payer = models.CharField(max_length=120, blank=True)
    label = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, choices=MethodState, default=MethodState.REGISTERING)
    code = models.CharField(max_length=120, blank=True)  # the provider's, of the last change
    registered_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    state_at = models.DateTimeField()
    active_since = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)
    looks = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(state__in=[MethodState.ACTIVE, MethodState.BROKEN]),
                name="method_one_current",
            ),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(state__in=[MethodState.REGISTERING, MethodState.UNDER_REVIEW]),
                name="method_one_under_review",
            ),
            models.UniqueConstraint(
                fields=["gateway", "environment", "merchant", "payer"],
                condition=~Q(payer=""),
                name="method_payer",
            ),
            models.UniqueConstraint(fields=["organisation", "id"], name="method_of_organisation"),
            models.CheckConstraint(
                condition=~Q(state=MethodState.ACTIVE)
                | (~Q(payer="") & Q(active_since__isnull=False)),
                name="method_active_has_payer",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="method_to_look_at",
            ),
        ]

    def __str__(self) -> str:
        return f"method {self.pk} {self.state}"


class Payable(models.Model):
    """What an organisation owes for one document, and how far it is collected. Rule: B-14, I07.

    Amounts in minor units of `currency`. `series` and `serial` are the invoice's kind and number:
    invoices are taken up in their order. `next_charge_at`: when the portal charges by itself. That of a
    spot order is paid by its customer, never by itself; its invoice follows the money (B-13).
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="payables", db_index=False
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=12, choices=PayableKind, default=PayableKind.INVOICE)
    invoice = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="payable"
    )
    spot_order = models.OneToOneField(
        SpotOrder, on_delete=models.PROTECT, null=True, blank=True, related_name="payable"
    )
    series = models.CharField(max_length=12, blank=True)
    serial = models.BigIntegerField(null=True, blank=True)
    number = models.CharField(max_length=60)
    currency = models.CharField(max_length=3)
    gross = models.BigIntegerField()
    credited = models.BigIntegerField(default=0, db_default=0)
    captured = models.BigIntegerField(default=0, db_default=0)
    refunded = models.BigIntegerField(default=0, db_default=0)
    due_on = models.DateField()
    state = models.CharField(max_length=12, choices=PayableState, default=PayableState.OPEN)
    hold = models.CharField(max_length=16, choices=Hold, default=Hold.NOTHING, blank=True)
    declines = models.SmallIntegerField(default=0, db_default=0)
    first_failed_at = models.DateTimeField(null=True, blank=True)
    next_charge_at = models.DateTimeField(null=True, blank=True)
    overdue_at = models.DateTimeField(null=True, blank=True)
    announced_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                F("series"),
                F("serial").desc(),
                condition=Q(serial__isnull=False),
                name="payable_series",
            ),
            models.UniqueConstraint(fields=["organisation", "id"], name="payable_of_organisation"),
            models.CheckConstraint(
                condition=~Q(kind=PayableKind.INVOICE)
                | Q(invoice__isnull=False, serial__isnull=False),
                name="payable_of_invoice_names_it",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=PayableKind.SPOT_ORDER, spot_order__isnull=False, next_charge_at=None
                )
                | (~Q(kind=PayableKind.SPOT_ORDER) & Q(spot_order=None)),
                name="payable_of_spot_order_names_it",
            ),
            models.CheckConstraint(
                condition=Q(
                    gross__gte=0,
                    credited__gte=0,
                    credited__lte=F("gross"),
                    refunded__gte=0,
                    refunded__lte=F("captured"),
                ),
                name="payable_amounts",
            ),
            models.CheckConstraint(
                condition=Q(state=PayableState.WRITTEN_OFF)
                | Q(
                    Q(state=PayableState.OPEN),
                    Q(gross__gt=F("credited") + F("captured") - F("refunded")),
                )
                | Q(
                    Q(state__in=[PayableState.PAID, PayableState.VOID]),
                    Q(gross__lte=F("credited") + F("captured") - F("refunded")),
                ),
                name="payable_open_iff_owed",
            ),
            models.CheckConstraint(
                condition=Q(state=PayableState.OPEN, closed_at=None)
                | (~Q(state=PayableState.OPEN) & Q(closed_at__isnull=False)),
                name="payable_closed_at_iff_closed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_charge_at"],
                condition=Q(state=PayableState.OPEN, next_charge_at__isnull=False),
                name="payable_to_charge",
            ),
            models.Index(fields=["organisation", "state"], name="payable_organisation_state"),
            models.Index(fields=["id"], condition=Q(announced_at=None), name="payable_to_announce"),
            models.Index(
                fields=["id"],
                condition=Q(captured__gt=F("gross") - F("credited") + F("refunded")),
                name="payable_to_give_back",
            ),
            models.Index(
                fields=["due_on"],
                condition=Q(state=PayableState.OPEN, overdue_at=None) & ~Q(hold=Hold.NOTHING),
                name="payable_to_become_overdue",
            ),
            models.Index(F("closed_at").desc(nulls_first=True), name="payable_newest"),
            models.Index(
                fields=["id"],
                condition=Q(kind=PayableKind.SPOT_ORDER, invoice=None, captured__gt=0),
                name="payable_to_serve",
            ),
        ]

    def __str__(self) -> str:
        return f"payable {self.number}"

    @property
    def balance(self) -> int:
        """What is still owed; below zero, what is to be given back. Rule: I07."""
        return self.gross - self.credited - self.captured + self.refunded

    @property
    def is_unserved_order(self) -> bool:
        """Whether it is of a spot order that has no invoice: unpaid it is no debt, but lapses. Rule: B-13."""
        return self.kind == PayableKind.SPOT_ORDER and self.invoice_id is None


class Charge(models.Model):
    """One attempt to take money, with its own key. Rule: R4, R6.

    `amount` in minor units. `reference` and `capture` are the provider's names for the payment and
    for the money. `called_at`: when the present call began; `sent_at`: when its key was first used.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="charges", db_index=False
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payable = models.ForeignKey(Payable, on_delete=models.PROTECT, related_name="charges")
    # None: the payer approves this one payment at the provider.
    method = models.ForeignKey(
        PaymentMethod, on_delete=models.PROTECT, null=True, blank=True, related_name="charges"
    )
    gateway = models.CharField(max_length=20)
    environment = models.CharField(max_length=10)
    merchant = models.CharField(max_length=60)
    key = models.CharField(max_length=20, unique=True)
    number = models.CharField(max_length=60)  # the document's
    # Which of its document's payments this is, if it comes about.
    turn = models.SmallIntegerField(default=1, db_default=1)
    description = models.CharField(max_length=127)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    on = models.DateField()
    initiator = models.CharField(max_length=8, choices=Initiator)
    state = models.CharField(max_length=10, choices=ChargeState, default=ChargeState.PREPARED)
    step = models.CharField(max_length=8, choices=Step, blank=True)
    reference = models.CharField(max_length=120, blank=True)
    capture = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    called_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)
    looks = models.IntegerField(default=0)
    # Paid: when the provider's settlement file says that the buyer's month was paid out.
    settled_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payable"],
                condition=Q(state__in=sorted(LIVE)),
                name="charge_one_live",
            ),
            models.UniqueConstraint(
                fields=["gateway", "environment", "capture"],
                condition=~Q(capture=""),
                name="charge_capture",
            ),
            models.UniqueConstraint(fields=["organisation", "id"], name="charge_of_organisation"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="charge_amount"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(LIVE), decided_at=None)
                | (~Q(state__in=sorted(LIVE)) & Q(decided_at__isnull=False)),
                name="charge_decided_at_iff_decided",
            ),
            models.CheckConstraint(
                condition=~Q(state=ChargeState.SUCCEEDED) | ~Q(capture=""),
                name="charge_succeeded_has_capture",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="charge_organisation"),
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="charge_to_look_at",
            ),
            models.Index(fields=["gateway", "reference"], name="charge_reference"),
            # The order of the back office's list: what is not decided, then the newest.
            models.Index(F("decided_at").desc(nulls_first=True), name="charge_newest"),
        ]

    def __str__(self) -> str:
        return f"charge {self.key} {self.state}"

    @property
    def number_there(self) -> str:
        """The number that the provider is given, which takes none twice. Rule: F06."""
        return numbers.told(self.number, self.turn)


class ReceiptDocument(models.Model):
    """The archived PDF of a charge's receipt, with its hash; made when first asked for, never remade.

    `number` is the document's that was paid, and which of its payments this is.
    """

    charge = models.OneToOneField(
        Charge, on_delete=models.PROTECT, primary_key=True, related_name="receipt"
    )
    number = models.CharField(max_length=80, unique=True)
    pdf = models.BinaryField()
    sha256 = models.BinaryField(max_length=32)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"receipt {self.number}"


class Refund(models.Model):
    """One attempt to give captured money back, with its own key. Rule: B-11, I09, F18.

    `credit_note` is why it is owed; without one, more was captured than was owed. A refund by hand
    was made by staff outside the portal, and is recorded here with the reference they give.
    `instead_of`: the failed refund that this one makes good. A reversal is what the provider took
    back by itself (F19).
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="refunds", db_index=False
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    charge = models.ForeignKey(Charge, on_delete=models.PROTECT, related_name="refunds")
    credit_note = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="refunds"
    )
    kind = models.CharField(max_length=8, choices=RefundKind, default=RefundKind.REFUND)
    instead_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="made_good_by"
    )
    operation = models.UUIDField(unique=True)  # one form, one refund (R3)
    key = models.CharField(max_length=20, unique=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=255)
    is_by_hand = models.BooleanField(default=False)
    requested_by = models.CharField(max_length=80)
    approved_by = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=RefundState, default=RefundState.PREPARED)
    reference = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    called_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)
    looks = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["charge", "reference"],
                condition=~Q(reference=""),
                name="refund_reference",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount"),
            models.CheckConstraint(condition=~Q(reason=""), name="refund_has_reason"),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="refund_to_look_at",
            ),
        ]

    def __str__(self) -> str:
        return f"refund {self.key} {self.state}"


class Correction(models.Model):
    """What staff decide about what is owed, once a form: a credit, or a write-off. Rule: B-11, R3.

    `gross` in minor units: what is credited, or what was open when it is written off. What is more
    than one person may do alone waits until another has approved it (ASVS 2.3.5); `decided_by` is
    who carried it out or rejected it, `decision` why.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="corrections"
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payable = models.ForeignKey(Payable, on_delete=models.PROTECT, related_name="corrections")
    kind = models.CharField(max_length=10, choices=CorrectionKind)
    state = models.CharField(max_length=8, choices=CorrectionState)
    operation = models.UUIDField(unique=True)
    gross = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=255)
    is_alone = models.BooleanField()  # one person may do it
    requested_by = models.CharField(max_length=80)
    requested_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=255, blank=True)
    credit_note = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="correction"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payable"],
                condition=Q(state=CorrectionState.WAITING),
                name="correction_one_waits",
            ),
            models.CheckConstraint(condition=Q(gross__gt=0), name="correction_amount"),
            models.CheckConstraint(condition=~Q(reason=""), name="correction_has_reason"),
            models.CheckConstraint(
                condition=Q(state=CorrectionState.WAITING, decided_at=None, decided_by="")
                | (
                    ~Q(state=CorrectionState.WAITING)
                    & Q(decided_at__isnull=False)
                    & ~Q(decided_by="")
                ),
                name="correction_decided_iff_not_waiting",
            ),
            models.CheckConstraint(
                condition=~Q(state=CorrectionState.DONE)
                | Q(is_alone=True)
                | ~Q(decided_by=F("requested_by")),
                name="correction_second_person",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=CorrectionKind.CREDIT,
                    state=CorrectionState.DONE,
                    credit_note__isnull=False,
                )
                | (
                    ~Q(kind=CorrectionKind.CREDIT, state=CorrectionState.DONE) & Q(credit_note=None)
                ),
                name="correction_credit_note_iff_credited",
            ),
        ]

    def __str__(self) -> str:
        return f"correction {self.pk} {self.state}"


class Transition(models.Model):
    """Each change of state of a method, charge or refund; only ever added to. Rule: I10."""

    organisation_id = models.BigIntegerField()
    subject = models.CharField(max_length=8)  # method, charge, refund
    subject_id = models.BigIntegerField()
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12)
    step = models.CharField(max_length=8, blank=True)
    code = models.CharField(max_length=120, blank=True)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["subject", "subject_id"], name="transition_subject")]

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id}: {self.before} → {self.after}"


class Journey(models.Model):
    """A payer's visit to a provider's own pages, and the one way back from it. Rule: S1-15, F20.

    Digests (SHA-256) of the one-time value in our return address and of the session that set out.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=8, choices=JourneyPurpose)
    charge = models.OneToOneField(
        Charge, on_delete=models.PROTECT, null=True, blank=True, related_name="journey"
    )
    method = models.OneToOneField(
        PaymentMethod, on_delete=models.PROTECT, null=True, blank=True, related_name="journey"
    )
    gateway = models.CharField(max_length=20)
    environment = models.CharField(max_length=10)
    merchant = models.CharField(max_length=60)
    key = models.CharField(max_length=20, unique=True)
    reference = models.CharField(max_length=120, blank=True)
    state_digest = models.BinaryField(max_length=32, unique=True)
    session_digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=10, choices=JourneyState, default=JourneyState.OPEN)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(purpose=JourneyPurpose.PAYMENT) | Q(charge__isnull=False),
                name="journey_of_payment_has_charge",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=[JourneyState.OPEN, JourneyState.RETURNED]),
                name="journey_under_way",
            ),
        ]

    def __str__(self) -> str:
        return f"journey {self.key} {self.state}"


class StoredNotice(models.Model):
    """A provider's notice, stored before anything is done about it, once per event. Rule: R8, I17.

    Of what it said only the names of what it is about are kept: the rest is looked up.
    """

    gateway = models.CharField(max_length=20)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80, blank=True)
    about = models.CharField(max_length=10, blank=True)
    references = models.JSONField(default=list)
    body_digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=10, choices=NoticeState, default=NoticeState.RECEIVED)
    reason = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "notice"
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "event_id"],
                condition=~Q(state=NoticeState.FORGED),
                name="notice_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=Q(state=NoticeState.RECEIVED),
                name="notice_to_process",
            ),
        ]

    def __str__(self) -> str:
        return f"notice {self.gateway} {self.event_id}"


class SupportRequest(models.Model):
    """What a root asks Support for: to change a registered method. Rule: S1-06."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="support_requests"
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    method = models.ForeignKey(PaymentMethod, on_delete=models.PROTECT, null=True, related_name="+")
    message = models.TextField(max_length=2000)
    created_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True, blank=True)
    handled_by = models.CharField(max_length=80, blank=True)
    answer = models.TextField(max_length=2000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(handled_at=None),
                name="support_request_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"request {self.pk}"


class ChargingStop(models.Model):
    """That nothing is charged automatically: anywhere, with one provider, or for one organisation.

    `scope` is `all`, `gateway:paypal` or `organisation:7`; the row's being there is the stop.
    Rule: R11, F37.
    """

    scope = models.CharField(max_length=60, primary_key=True)
    reason = models.CharField(max_length=400)
    actor = models.CharField(max_length=80)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.scope


class Reconciliation(models.Model):
    """One comparison of our captures and refunds with a provider's books. Rule: I08."""

    gateway = models.CharField(max_length=20)
    environment = models.CharField(max_length=10)
    merchant = models.CharField(max_length=60)
    since = models.DateTimeField()
    until = models.DateTimeField()
    source = models.CharField(max_length=200)  # api, or the file's name
    matched = models.IntegerField(default=0)
    different = models.IntegerField(default=0)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"reconciliation {self.gateway} {self.since:%Y-%m-%d}"


class Difference(models.Model):
    """Where our books and a provider's differ, until somebody has said what of it. Rule: I08, R12."""

    gateway = models.CharField(max_length=20)
    environment = models.CharField(max_length=10)
    kind = models.CharField(max_length=16, choices=DifferenceKind)
    reference = models.CharField(max_length=120)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    detail = models.JSONField(default=dict)
    owner = models.CharField(max_length=60, default="finance")
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=80, blank=True)
    resolution = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "environment", "kind", "reference"],
                condition=Q(resolved_at=None),
                name="difference_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
