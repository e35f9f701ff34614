"""Accounts of payers with PayPal."""

import secrets

from gateway_sandbox.rows import Payer
from gateway_sandbox.world import World

# What looks alike is left out: 0 and O, 1 and I.
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def payer_of(world: World, email: str) -> Payer:
    """Return the account with this e-mail address, opened the first time."""
    payer = world.ledger.find(Payer, email)
    if payer is None:
        payer = world.ledger.put(Payer(email, "".join(secrets.choice(_LETTERS) for _ in range(13))))
    return payer
