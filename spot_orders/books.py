"""The spot orders' checks of the books."""

from core import books
from spot_orders.queries import audit

books.register(*audit.CHECKS)
