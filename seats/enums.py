from django.db import models
from django.utils.translation import gettext_lazy as _


class Cause(models.TextChoices):
    """Which end deactivated accounts by itself. Rule: S2-10, S2-11."""

    SPOT_END = "spot_end", _("a spot contract ended")
    CONTRACT_END = "contract_end", _("the main contract ended")
    CLOSED = "closed", _("the contract with us ended")
