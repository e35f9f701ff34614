"""What may happen to the catalogue and to what customers have selected from it."""

from plans.services.selections import NoPrice, StartsTooEarly, select_plan

__all__ = ["NoPrice", "StartsTooEarly", "select_plan"]
