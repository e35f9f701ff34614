"""The payment companies' stand-in, for flows that collect."""

from tests.payments.conftest import sandbox

__all__ = ["sandbox"]
