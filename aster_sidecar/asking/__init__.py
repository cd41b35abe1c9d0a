"""Questions to a person: their forms, and the open ones."""
