"""Accounts are registered within capacity, and leave when a contract ends."""
