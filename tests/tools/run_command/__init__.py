"""Complete calls of run_command, with real processes."""
