"""How many accounts may be active, and who leaves when there are too many; decided without a database."""
