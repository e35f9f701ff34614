import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.enums import Language, PaymentTerms, Role


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in, by e-mail address."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    registered_at = models.DateTimeField()

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["registered_at"]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower"),
        ]

    def __str__(self) -> str:
        return f"user:{self.pk}"


class Organisation(models.Model):
    """One customer of the vendor: the tenant.

    `reference` is what the vendor's product calls it. `customer_since` is the first day on which
    it may use the product: its first month is billed from there. `closed_on` is the day from which
    it is no customer any more (half open); `accounts_ended_on`: the last such day whose meaning
    for its accounts has been carried out (seats). With `auto_invoicing_off` the month end passes it by
    until it is switched on again (R11): while its history is still coming in, say.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reference = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=200)
    billing_name = models.CharField(max_length=200)
    billing_postal_code = models.CharField(max_length=20, blank=True)
    billing_address = models.CharField(max_length=400, blank=True)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    language = models.CharField(max_length=2, choices=Language, default=Language.JA)
    payment_terms = models.CharField(max_length=8, choices=PaymentTerms, default=PaymentTerms.NONE)
    customer_since = models.DateField()
    closed_on = models.DateField(null=True, blank=True)
    accounts_ended_on = models.DateField(null=True, blank=True)
    auto_invoicing_off = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$"), name="organisation_country_is_iso_3166"
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="organisation_currency_is_iso_4217"
            ),
            models.CheckConstraint(
                condition=Q(closed_on=None) | Q(closed_on__gt=models.F("customer_since")),
                name="organisation_closes_after_it_begins",
            ),
        ]
        indexes = [
            models.Index(
                fields=["closed_on", "id"],
                condition=Q(accounts_ended_on=None, closed_on__isnull=False)
                | Q(accounts_ended_on__lt=models.F("closed_on"))
                | Q(accounts_ended_on__gt=models.F("closed_on")),
                name="organisation_to_end",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Absence(models.Model):
    """A time in which an organisation was no customer: it left, and came back with its history.

    Its months are billed with nothing in them. Rule: S1-29, B-01.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="absences"
    )
    left_on = models.DateField()
    back_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=120)

    def __str__(self) -> str:
        return f"{self.organisation_id}: {self.left_on} to {self.back_at}"


class Membership(models.Model):
    """A user's place in an organisation.

    One root at most by a unique index; no membership without a root by a deferred trigger, so
    that the first registered one is it. `deactivation_id`: the row of seats that tells which end of a
    contract deactivated it; None where a person did. `is_protected` and `leave_order` (1 leaves first)
    are the root's choice of who stays when a contract ends. Rule: S1-12, S2-10, S2-11, design.md 6.5.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="memberships"
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    role = models.CharField(max_length=8, choices=Role)
    registered_at = models.DateTimeField()
    deactivated_at = models.DateTimeField(null=True, blank=True)
    # Kept by the books check, not by a foreign key: its check at every row costs half of the update.
    deactivation_id = models.BigIntegerField(null=True, blank=True)
    is_protected = models.BooleanField(default=False, db_default=False)
    leave_order = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(deactivation_id=None) | Q(deactivated_at__isnull=False),
                name="membership_deactivation_of_deactivated",
            ),
            models.UniqueConstraint(fields=["organisation", "user"], name="membership_once"),
            models.UniqueConstraint(
                fields=["organisation", "id"], name="membership_of_organisation"
            ),
            models.UniqueConstraint(
                fields=["organisation"], condition=Q(role=Role.ROOT), name="membership_one_root"
            ),
            models.CheckConstraint(
                condition=~Q(role=Role.ROOT) | Q(deactivated_at=None),
                name="membership_root_is_active",
            ),
        ]
        indexes = [
            # The list of accounts, a page of thousands at a time.
            models.Index(
                fields=["organisation", "-registered_at", "-id"], name="membership_newest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role}"


class ApiKey(models.Model):
    """A key of the vendor's product. Only a hash of its secret is kept (ASVS 13.3.1).

    With an `organisation` it speaks for that one alone, without for every one.
    """

    prefix = models.CharField(max_length=12, unique=True)
    secret_digest = models.BinaryField(max_length=32)
    label = models.CharField(max_length=120)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="api_keys"
    )
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"


class Session(AbstractBaseSession):
    """A session that knows whose it is, so that a person's can be ended at once. Rule: F60, ASVS 7.4.2.

    `user_id`: None until somebody has signed in.
    """

    user_id = models.BigIntegerField(null=True, db_index=True)

    @classmethod
    def get_session_store_class(cls) -> "type[SessionBase]":
        from accounts.sessions import SessionStore

        return SessionStore

    def __str__(self) -> str:
        return f"session of user:{self.user_id}"
