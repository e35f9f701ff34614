"""What may be ordered as a spot contract, and what it costs; decided without a database."""
