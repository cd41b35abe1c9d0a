"""The agent's browser: the proxy that it has to use, how it is started, and the risk of each of its tools."""
