"""What is owed, paid and registered, as pages, services and audits read it."""
