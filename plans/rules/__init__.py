"""Pure values and decisions of the catalogue: what is sold, and what a catalogue file says."""

from plans.rules.terms import (
    Meter,
    MeterTerms,
    PlanTerms,
    Tier,
    TiersOutOfOrder,
    check_tiers,
    tiers_from_json,
    tiers_to_json,
)

__all__ = [
    "Meter",
    "MeterTerms",
    "PlanTerms",
    "Tier",
    "TiersOutOfOrder",
    "check_tiers",
    "tiers_from_json",
    "tiers_to_json",
]
