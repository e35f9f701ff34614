"""What staff order for customers, and the prices that are announced to everybody."""

from ordering.admin import customers, price_changes

__all__ = ["customers", "price_changes"]
