"""What an organisation has in the portal, as its archive tells it."""
