"""Which agents there are, and what an agent is."""
