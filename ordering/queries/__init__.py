"""What a root is shown of plans and contracts before and after an order."""
