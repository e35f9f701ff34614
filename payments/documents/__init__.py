"""Documents about money: what they say, and how they are laid out."""
