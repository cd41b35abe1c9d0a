"""One process: its lock, ready line and stop, who started it, and the wiring that builds every part once."""
