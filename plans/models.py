import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    DateRangeField,
    DateTimeRangeField,
    RangeBoundary,
    RangeOperators,
)
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Coalesce

from accounts.models import Organisation
from plans.enums import Aggregation, CancellationEnds, Category, TaxCategory


class VendorVersion(models.Model):
    """The vendor as the catalogue file describes it. A change is a new row; documents point at theirs.

    `spot_may_span_renewal`: a spot contract may run on into a renewal that is ordered.
    `cancellation_ends`: with which day a contract ends that is cancelled; `data_kept_days`: for how
    many days after it the customer's data may still be taken along. Rule: S1-29, S2-13.
    """

    number = models.PositiveIntegerField(unique=True)
    name_ja = models.CharField(max_length=200)
    name_en = models.CharField(max_length=200)
    postal_code = models.CharField(max_length=20)
    address_ja = models.CharField(max_length=400)
    address_en = models.CharField(max_length=400)
    country = models.CharField(max_length=2)
    registration_number = models.CharField(max_length=14, blank=True)
    time_zone = models.CharField(max_length=60)
    tax_rounding = models.CharField(max_length=8)
    currencies = models.JSONField()
    support_email = models.EmailField()
    support_url = models.URLField(blank=True)
    plan_page_url = models.URLField(blank=True)
    spot_may_span_renewal = models.BooleanField(default=True, db_default=True)
    cancellation_ends = models.CharField(
        max_length=5,
        choices=CancellationEnds,
        default=CancellationEnds.MONTH,
        db_default=CancellationEnds.MONTH,
    )
    data_kept_days = models.PositiveSmallIntegerField(default=30, db_default=30)
    invoice_prefix = models.CharField(max_length=12)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name_en} (version {self.number})"


class TermsOfUse(models.Model):
    number = models.PositiveIntegerField(unique=True)
    text_ja = models.TextField()
    text_en = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "terms of use"

    def __str__(self) -> str:
        return f"version {self.number}"


class CancellationTerms(models.Model):
    """What a customer agrees to who cancels. `boxes`: [{"ja": …, "en": …}, …], each ticked by itself.

    One that was published never changes. Rule: S1-28.
    """

    number = models.PositiveIntegerField(unique=True)
    title_ja = models.CharField(max_length=200)
    title_en = models.CharField(max_length=200)
    intro_ja = models.TextField(blank=True)
    intro_en = models.TextField(blank=True)
    boxes = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "cancellation terms"

    def __str__(self) -> str:
        return f"version {self.number}"


class Meter(models.Model):
    """What is measured. Code and aggregation never change.

    `consumed_unit`: the exact `ConsumedUnit` of a FOCUS file whose rows this meter takes in
    (`import_usage --format focus`); a code cannot hold one such as "GiB/Second-Months".
    """

    id = models.SmallAutoField(primary_key=True)
    code = models.SlugField(max_length=60, unique=True)
    name_ja = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    unit_ja = models.CharField(max_length=40, blank=True)
    unit_en = models.CharField(max_length=40, blank=True)
    aggregation = models.CharField(max_length=4, choices=Aggregation)
    consumed_unit = models.CharField(max_length=120, null=True, blank=True, unique=True)
    position = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return self.code


class Plan(models.Model):
    code = models.SlugField(max_length=60, unique=True)
    category = models.CharField(max_length=8, choices=Category)
    name_ja = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    is_free = models.BooleanField(default=False)
    tax_category = models.CharField(max_length=8, choices=TaxCategory, default=TaxCategory.STANDARD)
    position = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return self.code


class PlanVersion(models.Model):
    """A plan's prices for those who select it while it is on sale; fixed once one has. Rule: B-02."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    on_sale_from = models.DateField()
    on_sale_until = models.DateField(null=True, blank=True)
    accounts_per_step = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_version_number"),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"


class PlanPrice(models.Model):
    """`net`: tax excluded, minor units, per month and step."""

    version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="prices")
    currency = models.CharField(max_length=3)
    net = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "currency"], name="plan_price_currency"),
            models.CheckConstraint(condition=Q(net__gte=0), name="plan_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.net} {self.currency}"


class MeterPrice(models.Model):
    """What a licence version includes of a meter, and what more costs.

    `tiers`: [[last unit over the included or null, unit price in minor units], …], decimals as
    strings.
    """

    version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="meter_prices")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT)
    currency = models.CharField(max_length=3)
    included = models.DecimalField(max_digits=30, decimal_places=15)
    tiers = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "meter", "currency"], name="meter_price_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.meter} {self.currency}"


class Selection(models.Model):
    """Which version, and how many steps of it, an organisation has in a category, and when.

    Half open in time; never two at once in a category (exclusion constraint).
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="selections"
    )
    category = models.CharField(max_length=8, choices=Category)
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    steps = models.PositiveIntegerField(default=1)
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="selection_never_overlaps",
                expressions=[
                    ("organisation", RangeOperators.EQUAL),
                    ("category", RangeOperators.EQUAL),
                    (
                        Func(
                            F("from_at"),
                            F("until_at"),
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            models.CheckConstraint(
                condition=Q(until_at=None) | Q(until_at__gt=F("from_at")),
                name="selection_ends_after_it_begins",
            ),
            models.CheckConstraint(condition=Q(steps__gte=1), name="selection_has_steps"),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.plan_version} × {self.steps}"


class MainContract(models.Model):
    """A paid licence term of whole months; its plan and steps are the selections of its days.

    `anchor_on`: the first day of the chain of terms that it belongs to, from which every day in the
    chain is counted; `months_before`: of the chain's earlier terms. `first_on`, `end_on`: half open,
    kept because the database must compare them. `renews`: of the last one, whether a next term follows
    without anybody's doing; `renewal_told_at`: the root was told of that; `renewal_failed_at`: it could not
    be, and root and staff were told. `cut_on`: the day from which it no longer holds, where its customer
    left before its end. `ended_at`: what its end means for the accounts has been carried out (seats).
    Rule: domain.md 3.2, S1-29.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="main_contracts"
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    anchor_on = models.DateField()
    months_before = models.PositiveSmallIntegerField(default=0)
    months = models.PositiveSmallIntegerField()
    first_on = models.DateField()
    end_on = models.DateField()
    cut_on = models.DateField(null=True, blank=True)
    renews = models.BooleanField(default=False)
    renewal_told_at = models.DateTimeField(null=True, blank=True)
    renewal_failed_at = models.DateTimeField(null=True, blank=True)
    ordered_at = models.DateTimeField()
    ordered_by = models.CharField(max_length=120)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=120, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="main_contract_never_overlaps",
                expressions=[
                    ("organisation", RangeOperators.EQUAL),
                    (
                        Func(
                            F("first_on"),
                            Coalesce(F("cut_on"), F("end_on")),
                            RangeBoundary(),
                            function="DATERANGE",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                condition=Q(withdrawn_at=None),
            ),
            models.CheckConstraint(
                condition=Q(end_on__gt=F("first_on")), name="main_contract_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(cut_on=None) | Q(cut_on__gt=F("first_on"), cut_on__lt=F("end_on")),
                name="main_contract_cut_within",
            ),
            models.CheckConstraint(
                condition=Q(months__in=[1, 12]), name="main_contract_has_1_or_12_months"
            ),
            models.CheckConstraint(
                condition=Q(months_before=0, first_on=F("anchor_on"))
                | Q(months_before__gt=0, first_on__gt=F("anchor_on")),
                name="main_contract_begins_with_its_chain",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by="")
                | Q(withdrawn_at__isnull=False) & ~Q(withdrawn_by=""),
                name="main_contract_withdrawn_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["end_on", "id"],
                condition=Q(withdrawn_at=None, renews=True),
                name="main_contract_renews",
            ),
            models.Index(
                Coalesce("cut_on", "end_on"),
                "organisation",
                condition=Q(withdrawn_at=None, ended_at=None),
                name="main_contract_to_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.first_on} to {self.end_on}"


class PriceChange(models.Model):
    """A version that whoever has an older one gets too, from the first of a month on.

    Announced by a catalogue file; every customer it reaches is told. It may be withdrawn until the day
    before. Rule: B-02.
    """

    version = models.OneToOneField(
        PlanVersion, on_delete=models.PROTECT, related_name="price_change"
    )
    effective_on = models.DateField()
    announced_at = models.DateTimeField()
    announced_by = models.CharField(max_length=120)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(effective_on__day=1), name="price_change_begins_with_a_month"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by="")
                | Q(withdrawn_at__isnull=False) & ~Q(withdrawn_by=""),
                name="price_change_withdrawn_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} from {self.effective_on}"


class Repricing(models.Model):
    """What a price change has replaced of what an organisation had contracted, ahead of time.

    `replaced`: [[from, until or null, version, steps], …]; with it the withdrawal of the price change
    brings back what was. `told_at`: the root was told; `undone_told_at`: also of the withdrawal. An
    organisation has another one when it selects an older version once more.
    """

    price_change = models.ForeignKey(
        PriceChange, on_delete=models.PROTECT, related_name="repricings"
    )
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="repricings"
    )
    replaced = models.JSONField()
    at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(undone_told_at=None) | Q(undone_at__isnull=False),
                name="repricing_undone_before_it_is_told",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(told_at=None) | Q(undone_at__isnull=False, undone_told_at=None),
                name="repricing_to_tell",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.price_change}"
