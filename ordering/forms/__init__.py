"""What a root fills in to order."""

from ordering.forms.contracts import (
    AddLicences,
    Order,
    Renew,
    ReturnToFree,
    SetRenewal,
    Start,
    WithdrawRenewal,
    name_of,
)
from ordering.forms.cover import Cover
from ordering.forms.plans import PlanChoice
from ordering.forms.spots import SpotOrder, SpotSettings

__all__ = [
    "AddLicences",
    "Cover",
    "Order",
    "PlanChoice",
    "Renew",
    "ReturnToFree",
    "SetRenewal",
    "SpotOrder",
    "SpotSettings",
    "Start",
    "WithdrawRenewal",
    "name_of",
]
