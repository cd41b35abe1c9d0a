"""The log, redaction of secrets, and spans of turns."""
