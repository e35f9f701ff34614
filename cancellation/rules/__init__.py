"""How a contract ends, decided without a database or a clock."""
