"""Whom the demo data tell of, and how they use the product; values only, the same for one seed."""
