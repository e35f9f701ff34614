"""The payment companies' stand-in, for pages that show how an invoice is paid."""

from tests.payments.conftest import sandbox

__all__ = ["sandbox"]
