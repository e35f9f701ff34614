"""What may happen to the catalogue, and to what customers select from it."""

from plans.services.catalogue import Outcome, apply_catalogue, plan_catalogue
from plans.services.contracts import ChangesThePast, Stale, close, store
from plans.services.selections import NoPrice, StartsTooEarly, select_plan

__all__ = [
    "ChangesThePast",
    "NoPrice",
    "Outcome",
    "Stale",
    "StartsTooEarly",
    "apply_catalogue",
    "close",
    "plan_catalogue",
    "select_plan",
    "store",
]
