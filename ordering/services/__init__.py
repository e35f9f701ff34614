"""Reviewing and carrying out what a root orders."""

from ordering.services.reviews import (
    HOLDS_FOR,
    Differs,
    Expired,
    ReasonMissing,
    Saved,
    review,
    save,
)

__all__ = ["HOLDS_FOR", "Differs", "Expired", "ReasonMissing", "Saved", "review", "save"]
