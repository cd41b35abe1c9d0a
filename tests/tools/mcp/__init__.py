"""MCP servers: as real processes and over HTTP, and the parts that talk to them."""

import pytest

# pytest rewrites assertions, so that a failure shows the values, only in test modules and in modules registered here.
pytest.register_assert_rewrite("tests.tools.mcp.support")
