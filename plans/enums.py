from django.db import models
from django.utils.translation import gettext_lazy as _


class Category(models.TextChoices):
    LICENCE = "licence", _("Licence plan")
    SUPPORT = "support", _("Support plan")


class Aggregation(models.TextChoices):
    """How a day's events become the day's usage, and its days the month's. Rule: B-05."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"


class TaxCategory(models.TextChoices):
    STANDARD = "standard"
    REDUCED = "reduced"
