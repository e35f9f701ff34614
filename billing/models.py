import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Organisation
from billing.enums import InvoiceKind, LineKind, MonthOutcome, RunState, TaxCode
from plans.models import Meter, PlanVersion, VendorVersion


class NumberSeries(models.Model):
    """The next number of a series; taken in the transaction that stores the document. Rule: B-09."""

    kind = models.CharField(max_length=12, primary_key=True)
    next = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "number series"

    def __str__(self) -> str:
        return f"{self.kind}: {self.next}"


class Invoice(models.Model):
    """An issued invoice, or a credit note, which `corrects` one. Triggers refuse every change. Rule: B-11.

    Amounts in minor units of `currency`, never negative: those of a credit note are given back.
    `recipient` is the customer as it was at issue; `digest` is the SHA-256 of the document's
    content, number included. `operation`: who asks for a document once more gets the same one; that
    of a spot invoice is the public id of the order that it bills (B-13).
    The composite key to the corrected invoice of the same organisation is made by hand (R13).
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    kind = models.CharField(max_length=12, choices=InvoiceKind, default=InvoiceKind.MONTHLY)
    number = models.BigIntegerField()
    month = models.DateField()
    issued_on = models.DateField()
    issued_at = models.DateTimeField()
    due_on = models.DateField()
    language = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    net = models.BigIntegerField()
    tax = models.BigIntegerField()
    gross = models.BigIntegerField()
    tax_rounding = models.CharField(max_length=8)
    line_count = models.IntegerField()
    vendor = models.ForeignKey(VendorVersion, on_delete=models.PROTECT, db_index=False)
    recipient = models.JSONField()
    digest = models.BinaryField(max_length=32)
    corrects = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="credit_notes",
        db_constraint=False,
        db_index=False,
    )
    operation = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="invoice_public_id"),
            models.UniqueConstraint(fields=["kind", "number"], name="invoice_number"),
            models.UniqueConstraint(
                fields=["organisation", "month"],
                condition=Q(kind=InvoiceKind.MONTHLY),
                name="invoice_one_a_month",
            ),
            models.UniqueConstraint(fields=["organisation", "id"], name="invoice_of_organisation"),
            models.CheckConstraint(
                condition=Q(gross=models.F("net") + models.F("tax")), name="invoice_gross_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(net__gte=0, tax__gte=0), name="invoice_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=InvoiceKind.CREDIT_NOTE, corrects__isnull=False, operation__isnull=False
                )
                | (~Q(kind=InvoiceKind.CREDIT_NOTE) & Q(corrects=None)),
                name="invoice_corrects_iff_credit_note",
            ),
            models.CheckConstraint(
                condition=~Q(kind=InvoiceKind.SPOT) | Q(operation__isnull=False),
                name="invoice_of_spot_order_names_it",
            ),
            models.UniqueConstraint(
                fields=["operation"],
                condition=Q(operation__isnull=False),
                name="invoice_once_an_operation",
            ),
        ]
        indexes = [
            models.Index(
                fields=["corrects"],
                condition=Q(corrects__isnull=False),
                name="invoice_corrects",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def is_credit_note(self) -> bool:
        return self.kind == InvoiceKind.CREDIT_NOTE

    @property
    def signed_gross(self) -> int:
        """What the document adds to what is owed: a credit note's is below zero."""
        return -self.gross if self.is_credit_note else self.gross


class InvoiceLine(models.Model):
    """One priced item. `explanation` is made by the code that made the amount (design.md 2).

    `month` is the month that the line is about: an adjustment names an earlier one.
    The composite key to the invoice of the same organisation is made by hand (R13).
    """

    pk = models.CompositePrimaryKey("invoice_id", "position")
    organisation_id = models.BigIntegerField()
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, related_name="lines", db_constraint=False, db_index=False
    )
    position = models.SmallIntegerField()
    kind = models.CharField(max_length=16, choices=LineKind)
    month = models.DateField()
    name_ja = models.CharField(max_length=200)
    name_en = models.CharField(max_length=200)
    plan_version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, null=True, db_index=False
    )
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, null=True, db_index=False)
    quantity = models.DecimalField(max_digits=40, decimal_places=15)
    net = models.BigIntegerField()
    tax_code = models.CharField(max_length=16, choices=TaxCode)
    explanation = models.JSONField()

    def __str__(self) -> str:
        return f"{self.invoice_id}/{self.position}"


class TaxSummary(models.Model):
    """The net and the tax of one rate on one invoice: the rate's tax is rounded here, once. Rule: B-06."""

    pk = models.CompositePrimaryKey("invoice_id", "tax_code")
    organisation_id = models.BigIntegerField()
    invoice = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        related_name="tax_summaries",
        db_constraint=False,
        db_index=False,
    )
    tax_code = models.CharField(max_length=16, choices=TaxCode)
    rate = models.DecimalField(max_digits=5, decimal_places=4)
    net = models.BigIntegerField()
    tax = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "tax summaries"

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.tax_code}"


class BilledMonth(models.Model):
    """That an organisation's month is billed: by an invoice, or by nothing to bill. Rule: B-01.

    `facts` are what was rated, in the kernel's canonical form; `credit` is what was left over and
    is brought to the next month, net, per tax code.
    """

    pk = models.CompositePrimaryKey("organisation_id", "month")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, db_index=False)
    month = models.DateField()
    outcome = models.CharField(max_length=8, choices=MonthOutcome)
    invoice = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, null=True, db_constraint=False
    )
    facts = models.JSONField()
    facts_digest = models.BinaryField(max_length=32)
    credit = models.JSONField(default=dict)
    billed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome=MonthOutcome.INVOICED, invoice__isnull=False)
                | Q(outcome=MonthOutcome.NOTHING, invoice=None),
                name="billed_month_has_invoice_iff_invoiced",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.month}"


class RatedRevision(models.Model):
    """Up to which revision a month's late usage has been billed, and the quantities rated then."""

    pk = models.CompositePrimaryKey("organisation_id", "month")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, db_index=False)
    month = models.DateField()
    revision = models.BigIntegerField()
    quantities = models.JSONField()

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.month}: {self.revision}"


class MonthRun(models.Model):
    """The month end of one month, for every organisation. Done when nothing is left but what is parked."""

    month = models.DateField(primary_key=True)
    state = models.CharField(max_length=8, choices=RunState, default=RunState.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ParkedOrganisation(models.Model):
    """An organisation whose month could not be billed, why, and who looks. Rule: R12."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    month = models.DateField()
    reason = models.CharField(max_length=200)
    detail = models.TextField(blank=True)
    owner = models.CharField(max_length=60)
    parked_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "month"],
                condition=Q(released_at=None),
                name="parked_organisation_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.month:%Y-%m}: {self.reason}"


class InvoiceDocument(models.Model):
    """The archived PDF of an invoice, with its hash; made off the issuing path, never remade."""

    invoice = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, primary_key=True, related_name="document"
    )
    pdf = models.BinaryField()
    sha256 = models.BinaryField(max_length=32)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"document of {self.invoice_id}"
