"""The receipt of a cancellation: what it says, and how it is laid out."""
