"""The log, the redaction of secrets, and the spans of turns."""
