"""PayPal: what is peculiar to it is known here and nowhere else."""

from payments.gateways.paypal.gateway import PayPal

__all__ = ["PayPal"]
