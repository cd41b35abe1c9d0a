"""What a command line would do: its grammar, and the programs that only read."""
