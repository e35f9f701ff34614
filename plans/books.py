"""The plans' checks of the books."""

from core import books
from plans.queries import audit

books.register(*audit.CHECKS)
