"""What a root may order, and what it comes to, decided without a database or a clock."""
