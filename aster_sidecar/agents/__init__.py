"""The agents: what defines one, and the registry of all."""
