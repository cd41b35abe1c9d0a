"""What a model may do: the tools, and where they may reach."""
