import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from accounts.enums import Role
from accounts.models import Membership, Organisation, User
from plans.models import MainContract
from seats.enums import Cause, ImportState, Problem, RowState
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


class LeavingWarning(models.Model):
    """That a root was told that accounts leave on `border_on`, so many days before. Rule: design.md 6.5.

    `stage`: 30, 7 or 1 days; the most urgent one that was reached when it was told. `count`: how many
    would have left then.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="leaving_warnings"
    )
    border_on = models.DateField()
    stage = models.PositiveSmallIntegerField()
    count = models.PositiveIntegerField()
    told_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "border_on", "stage"], name="leaving_warning_once"
            ),
            models.CheckConstraint(
                condition=Q(stage__in=[30, 7, 1], count__gte=1), name="leaving_warning_of_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"warning of {self.border_on}, {self.stage} days before"


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

    # Both of one organisation, by keys that name it (seats/migrations/0003).
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="groups")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "membership"], name="group_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.membership_id} in {self.group_id}"


class Invitation(models.Model):
    """That a person was asked to sign in: by a link to set a password, or to sign in as before.

    `name`: what the root calls the person, which says nothing of an account elsewhere. `token_digest`:
    SHA-256 of what the link holds; a new link replaces it, and so ends the one before. Without it the
    person had a password already. `used_at`: a password was set by it. Rule: F69.
    """

    membership = models.OneToOneField(
        Membership, on_delete=models.CASCADE, related_name="invitation"
    )
    name = models.CharField(max_length=120, blank=True)
    token_digest = models.BinaryField(max_length=32, null=True, unique=True)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("sent_at")), name="invitation_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"invitation of membership {self.membership_id}"


class InvitationMail(models.Model):
    """When an organisation last wrote an invitation to a person: known also once the account is deleted.

    It keeps anybody's letter box from being filled by registering and deleting by turns.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="invitation_mail_once"),
        ]

    def __str__(self) -> str:
        return f"mail to user:{self.user_id} from organisation {self.organisation_id}"


class AccountImport(models.Model):
    """Accounts to be registered from a file, checked whole before it is confirmed. The file is not kept.

    `operation`: of the form that sent it (R3); `created_by` confirmed it too. Rows are forgotten with it.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    operation = models.UUIDField()
    state = models.CharField(max_length=8, choices=ImportState, default=ImportState.CHECKED)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "operation"], name="account_import_once"
            ),
            models.CheckConstraint(
                condition=Q(state=ImportState.CHECKED, confirmed_at=None, done_at=None)
                | Q(state=ImportState.RUNNING, confirmed_at__isnull=False, done_at=None)
                | Q(state=ImportState.DONE, confirmed_at__isnull=False, done_at__isnull=False),
                name="account_import_at_iff_state",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state=ImportState.RUNNING), name="account_import_running"
            ),
        ]

    def __str__(self) -> str:
        return f"import {self.pk} of organisation {self.organisation_id}"


class ImportRow(models.Model):
    """A row of an import, as it was read: its line in the file, and what becomes of it.

    `problem` and `about`: what is wrong with it, and the word or line that it is about.
    """

    batch = models.ForeignKey(AccountImport, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField()
    email = models.CharField(max_length=254, blank=True)
    name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    groups = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=RowState)
    problem = models.CharField(max_length=12, choices=Problem, blank=True)
    about = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "line"], name="import_row_once"),
            models.CheckConstraint(
                condition=Q(state=RowState.WRONG) ^ Q(problem=""),
                name="import_row_wrong_iff_problem",
            ),
        ]
        indexes = [
            models.Index(
                fields=["batch", "line"], condition=Q(state=RowState.READY), name="import_row_to_do"
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line} of import {self.batch_id}"
