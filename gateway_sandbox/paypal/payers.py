"""Accounts of payers with PayPal."""

from gateway_sandbox.rows import Payer
from gateway_sandbox.world import World, capitals


def payer_of(world: World, email: str) -> Payer:
    """Return the account with this e-mail address, opened the first time."""
    payer = world.ledger.find(Payer, email)
    if payer is None:
        payer = world.ledger.put(Payer(email, capitals(13)))
    return payer
