"""Attacks on the gate with raw bytes on a real socket. A request that must be refused never reaches the app."""

import pytest

# pytest rewrites assertions, so that a failure shows the values, only in test modules and in modules registered here.
pytest.register_assert_rewrite("tests.http.guard.support")
