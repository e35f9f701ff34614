"""What a root types and sends about accounts, as clean values."""
