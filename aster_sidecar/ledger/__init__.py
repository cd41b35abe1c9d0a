"""What tools and commands change in files, and how to undo it."""
