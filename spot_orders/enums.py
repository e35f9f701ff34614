"""How a spot order stands, beside the moves that are allowed. Rule: I10."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class SpotState(models.TextChoices):
    """PLACED: priced and waiting for its payment. PAID: the spot contract, for its period.

    LAPSED: not paid within 24 hours; CANCELLED: given up, or replaced by another order before it was
    paid. REFUNDED: paid too late to be served, and given back. Rule: S2-28, R10.
    """

    PLACED = "placed", _("awaiting payment")
    PAID = "paid", _("paid")
    LAPSED = "lapsed", _("lapsed")
    CANCELLED = "cancelled", _("cancelled")
    REFUNDED = "refunded", _("refunded")


SPOT_MOVES: Mapping[SpotState, frozenset[SpotState]] = {
    SpotState.PLACED: frozenset(
        {SpotState.PAID, SpotState.LAPSED, SpotState.CANCELLED, SpotState.REFUNDED}
    ),
    SpotState.LAPSED: frozenset({SpotState.REFUNDED}),
    SpotState.CANCELLED: frozenset({SpotState.REFUNDED}),
    SpotState.PAID: frozenset(),
    SpotState.REFUNDED: frozenset(),
}
