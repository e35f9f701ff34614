"""Billing's checks of the books."""

from billing.queries import audit
from core import books

books.register(*audit.CHECKS)
