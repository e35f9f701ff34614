"""What a check is: see core.books."""

from core.books import BEGINNING, Breach, Check, Scope, by_sql, rows

__all__ = ["BEGINNING", "Breach", "Check", "Scope", "by_sql", "rows"]
