"""Tools of the person's own MCP servers."""
