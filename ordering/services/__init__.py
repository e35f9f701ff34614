"""Reviewing and carrying out what a root orders."""
