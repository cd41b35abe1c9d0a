"""Sessions, turns, the agent loop, the model's history, and the execution of tool calls."""
