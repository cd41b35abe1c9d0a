"""Ten sessions of coding agents, as data, and their replay against the policy. `python -m tests.policy.sessions`."""
