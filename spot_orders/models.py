import uuid
from datetime import date

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from accounts.models import Organisation, User
from plans.models import TermsOfUse
from spot_orders.enums import SpotState


class SpotOrder(models.Model):
    """The order of extra accounts for whole months, and the spot contract that it becomes when paid.

    `months` counted from `first_on`; `end_on` (half open) is kept because the database must compare it.
    `priced`: [[first day, plan version, steps, net a step], …], one entry a month; prices, tax and
    terms are frozen when it is placed. `cut_on`: the day from which it no longer holds, where it was
    ended before its end. `ended_at`: its end has been carried out (seats). `operation`: of the form that
    placed it, `digest` the SHA-256 of what that form said (R3). Rule: S2-05…S2-13, S2-28.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="spot_orders"
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(max_length=40, unique=True)
    accounts = models.PositiveIntegerField()
    first_on = models.DateField()
    months = models.PositiveSmallIntegerField()
    end_on = models.DateField()
    cut_on = models.DateField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    priced = models.JSONField()
    net = models.BigIntegerField()
    tax = models.BigIntegerField()
    gross = models.BigIntegerField()
    tax_code = models.CharField(max_length=16)
    tax_rounding = models.CharField(max_length=8)
    terms = models.ForeignKey(TermsOfUse, on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=9, choices=SpotState, default=SpotState.PLACED)
    operation = models.UUIDField(unique=True)
    digest = models.BinaryField(max_length=32)
    placed_at = models.DateTimeField()
    placed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    lapses_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_why = models.CharField(max_length=40, blank=True)
    replaced_by = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaces"
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "id"], name="spot_of_organisation"),
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(state=SpotState.PLACED),
                name="spot_one_unpaid",
            ),
            models.CheckConstraint(
                condition=Q(accounts__gte=1, months__gte=1, net__gte=0, tax__gte=0)
                & Q(gross=F("net") + F("tax")),
                name="spot_amounts",
            ),
            models.CheckConstraint(
                condition=Q(end_on__gt=F("first_on")), name="spot_ends_after_it_begins"
            ),
            models.CheckConstraint(
                condition=Q(cut_on=None)
                | Q(state=SpotState.PAID, cut_on__gte=F("first_on"), cut_on__lt=F("end_on")),
                name="spot_cut_within",
            ),
            models.CheckConstraint(
                condition=Q(state=SpotState.PAID, paid_at__isnull=False, closed_at=None)
                | Q(state=SpotState.PLACED, paid_at=None, closed_at=None)
                | (
                    Q(state__in=[SpotState.LAPSED, SpotState.CANCELLED, SpotState.REFUNDED])
                    & Q(paid_at=None, closed_at__isnull=False)
                ),
                name="spot_paid_at_iff_paid",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-placed_at"], name="spot_newest"),
            models.Index(
                fields=["lapses_at"], condition=Q(state=SpotState.PLACED), name="spot_to_lapse"
            ),
            models.Index(
                Coalesce("cut_on", "end_on"),
                "organisation",
                condition=Q(state=SpotState.PAID, ended_at=None),
                name="spot_to_end",
            ),
        ]

    def __str__(self) -> str:
        return f"spot order {self.number}"

    @property
    def until_on(self) -> date:
        """The day from which it no longer holds (half open)."""
        return self.cut_on or self.end_on
