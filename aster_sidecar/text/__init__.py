"""Text and numbers from outside: made valid, compared, searched and shown."""
