"""The payments' checks of the books."""

from core import books
from payments.queries import audit

books.register(*audit.CHECKS)
