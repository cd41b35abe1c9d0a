"""The tool that reads a page from the public internet."""
