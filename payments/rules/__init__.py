"""What is decided about money in and back, without a database or a clock."""
