"""The seats' checks of the books."""

from core import books
from seats.queries import audit

books.register(*audit.CHECKS)
