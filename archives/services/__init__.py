"""Archives are asked for, made in the background, and deleted after their time."""
