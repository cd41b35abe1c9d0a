"""Paths and addresses, and what is decided about each."""
