"""Sessions, turns, the agent loop, what the model remembers, and the execution of tool calls."""
