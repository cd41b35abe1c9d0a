"""A model's name → a provider that can be asked, what it streams, and what its failures mean."""
