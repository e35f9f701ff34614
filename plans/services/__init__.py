"""What may happen to the catalogue, and to what customers select from it."""

from plans.services.catalogue import Outcome, apply_catalogue, plan_catalogue
from plans.services.selections import NoPrice, StartsTooEarly, select_plan

__all__ = [
    "NoPrice",
    "Outcome",
    "StartsTooEarly",
    "apply_catalogue",
    "plan_catalogue",
    "select_plan",
]
