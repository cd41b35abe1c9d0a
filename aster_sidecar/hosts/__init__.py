"""Hosts: programs that lend tools to agents, and the calls of these tools."""
