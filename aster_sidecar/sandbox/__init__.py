"""Commands in a sandbox: how they are started in one, what it hides and protects, and whether it works here."""
