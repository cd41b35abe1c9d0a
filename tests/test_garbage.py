"""The collector ignores what a start has created."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from aster_sidecar.garbage import long_lived


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """Other tests of this process collect as usual."""
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("collects", [True, False])
def test_nothing_is_collected_in_the_block_and_its_objects_are_left_alone(collects: bool) -> None:
    (gc.enable if collects else gc.disable)()
    with long_lived():
        assert not gc.isenabled()
        made = [[number] for number in range(1000)]
    assert gc.isenabled() == collects
    assert gc.get_freeze_count() >= len(made)
    assert not any(made is one for one in gc.get_objects())


def test_a_failure_does_not_end_collecting() -> None:
    gc.enable()
    with pytest.raises(LookupError), long_lived():
        raise LookupError
    assert gc.isenabled()


def test_two_blocks_at_once_end_with_collecting() -> None:
    gc.enable()
    one, other = long_lived(), long_lived()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    assert gc.isenabled()
