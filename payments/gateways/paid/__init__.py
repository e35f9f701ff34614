"""Paid (paid.jp) buys what a company in Japan owes and collects it by an invoice of its own.

Its API is known at second hand, from two public clients of 2017 to 2019: what a vendor must check
is in docs/decisions/paid-is-a-settings-table.md. Rule: gateways.md 3, S1-17, S1-18.
"""

from payments.gateways.paid.codes import EMAIL_IS_TAKEN
from payments.gateways.paid.gateway import Paid

__all__ = ["EMAIL_IS_TAKEN", "Paid"]
