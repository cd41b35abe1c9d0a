"""Whether a tool call may run: permissions, rules and approvals."""
