"""Payment companies. What is peculiar to one is known in its own file and nowhere else."""
