"""When a contract that is cancelled ends, and what follows; decided without a database."""
