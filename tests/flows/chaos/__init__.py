"""SIGKILL at random moments, a state machine over one session, and each fault that these two have found, on its own."""

import pytest

# pytest rewrites assertions, so that a failure shows the values, only in test modules and in modules registered here.
pytest.register_assert_rewrite("tests.flows.chaos.checks", "tests.flows.chaos.session_model", "tests.flows.chaos.world")
