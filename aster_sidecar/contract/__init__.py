"""The wire protocol: every request, answer and event as a Pydantic model."""
