"""What ./dev does once .venv stands: servers for one checkout, and the commands that use them."""
