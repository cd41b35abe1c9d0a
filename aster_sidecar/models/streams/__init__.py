"""Readers of what providers stream, one for each dialect."""
