from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """The place of a user in an organisation. Rule: S1-07, S1-12."""

    ROOT = "root", _("Root account")
    MANAGER = "manager", _("Manager")
    MEMBER = "member", _("Member")


class Language(models.TextChoices):
    JA = "ja", "日本語"
    EN = "en", "English"


class Changed(models.TextChoices):
    """Why what an organisation may use is told to be another: docs/api.md."""

    PLAN = "plan"
    DATE = "date"
    OVERDUE = "overdue"
    PAID = "paid"
    ACCOUNTS = "accounts"
    CLOSED = "closed"


class PaymentTerms(models.TextChoices):
    """How an organisation pays its monthly invoice, as far as the due date goes. Rule: B-10."""

    NONE = "none"
    PAYPAL = "paypal"
    PAID = "paid"
