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


class CancellationEnds(models.TextChoices):
    """With which day a contract ends that is cancelled. Rule: S1-29."""

    MONTH = "month"
    TERM = "term"


class NotRenewed(models.TextChoices):
    """Why a main contract that renews by itself was not renewed."""

    NOT_ON_SALE = "not_on_sale", _("The plan is no longer on sale in this currency.")
    ENDED = "ended", _("It had ended before it was renewed.")
    NO_FREE_PLAN = "no_free_plan", _("There is no free plan to return to at its end.")
