"""Demo data: customers, their usage, their invoices and how they pay."""

from demo.services.story import NotEmpty, SignIn, Size, WentWrong, make

__all__ = ["NotEmpty", "SignIn", "Size", "WentWrong", "make"]
