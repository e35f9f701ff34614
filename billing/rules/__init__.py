"""The kernel: facts become a bill. Pure: no database, no clock (design.md 2)."""
