"""Every request, answer and event as a model."""
