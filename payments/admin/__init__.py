"""Money in the back office: to be read; what staff do about it goes through services."""

from payments.admin import (
    books,
    charges,
    corrections,
    customers,
    methods,
    payables,
    refunds,
    requests,
    stops,
)

__all__ = [
    "books",
    "charges",
    "corrections",
    "customers",
    "methods",
    "payables",
    "refunds",
    "requests",
    "stops",
]
