"""The cancellations' checks of the books."""

from cancellation.queries import audit
from core import books

books.register(*audit.CHECKS)
