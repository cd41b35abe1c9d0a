"""The commands beside serving. They talk to the running daemon if one runs."""
