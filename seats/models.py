import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from accounts.models import Membership, Organisation
from plans.models import MainContract
from seats.enums import Cause
from spot_orders.models import SpotOrder


class Deactivation(models.Model):
    """That the end of a contract left too many accounts, and how many it deactivated. Rule: S2-10, I14.

    The accounts themselves name it (`Membership.deactivation_id`); those that still do are the group
    "Auto Deactivation". `capacity` and `in_use`: at `due_at`, the instant of the end. `window_from`:
    since when spot contracts had run without a gap; `flagged`: how many left who were registered before
    that. `told_at`: root and people were told.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="deactivations"
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    cause = models.CharField(max_length=12, choices=Cause)
    spot_order = models.ForeignKey(
        SpotOrder, on_delete=models.PROTECT, null=True, blank=True, related_name="deactivations"
    )
    main_contract = models.ForeignKey(
        MainContract, on_delete=models.PROTECT, null=True, blank=True, related_name="deactivations"
    )
    due_at = models.DateTimeField()
    at = models.DateTimeField()
    capacity = models.PositiveIntegerField()
    in_use = models.PositiveIntegerField()
    count = models.PositiveIntegerField()
    flagged = models.PositiveIntegerField(default=0)
    window_from = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(count__gte=1, in_use__gt=F("capacity"), capacity__gte=1),
                name="deactivation_of_an_excess",
            ),
            models.CheckConstraint(condition=Q(at__gte=F("due_at")), name="deactivation_not_early"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(told_at=None), name="deactivation_to_tell"),
        ]

    def __str__(self) -> str:
        return f"deactivation {self.pk} of organisation {self.organisation_id}"


class Group(models.Model):
    """A group of accounts that the root made. "Auto Deactivation" is none of them: it is computed."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="groups")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint("organisation", Lower("name"), name="group_name_once"),
            models.UniqueConstraint(fields=["organisation", "id"], name="group_of_organisation"),
            models.CheckConstraint(condition=~Q(name=""), name="group_has_name"),
        ]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """An account's place in a group; deactivation does not change it. Rule: S2-11."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="groups")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "membership"], name="group_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.membership_id} in {self.group_id}"
