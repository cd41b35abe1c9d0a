"""What other tests have left running is not this test's doing."""

from __future__ import annotations

import pytest

from tests.tools.support import note_others


@pytest.fixture(autouse=True)
def others() -> None:
    note_others()
