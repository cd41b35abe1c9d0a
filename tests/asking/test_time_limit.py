"""A time limit that stands still."""

from __future__ import annotations

import asyncio

import pytest

from aster_sidecar.asking.time_limit import TimeLimit


def test_it_stands_still_and_goes_on_with_what_was_left() -> None:
    async def main() -> float:
        async with TimeLimit(0.2) as limit:
            with limit.held():
                await asyncio.sleep(0.3)
                with limit.held():
                    await asyncio.sleep(0.1)
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(30)
            raise asyncio.CancelledError
        raise AssertionError("it did not expire")

    async def held_s() -> float:
        limit = TimeLimit(30)
        async with limit:
            with limit.held(), limit.held():
                await asyncio.sleep(0.2)
        return limit.held_s

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert 0.19 < asyncio.run(held_s()) < 20


def test_an_end_that_is_near_is_not_put_off() -> None:
    async def main() -> None:
        async with TimeLimit(30) as limit:
            with limit.held():
                limit.end_within(0.05)
                await asyncio.sleep(30)

    with pytest.raises(TimeoutError):
        asyncio.run(main())


def test_without_a_limit_and_after_its_end_it_does_nothing() -> None:
    async def main() -> TimeLimit:
        async with TimeLimit(None) as limit:
            with limit.held():
                await asyncio.sleep(0)
        limit.end_within(0.0)
        with limit.held():
            await asyncio.sleep(0)
        assert not limit.expired()
        async with TimeLimit(30) as outlived:
            held = outlived.held()
            held.__enter__()
        held.__exit__(None, None, None)
        return limit

    assert asyncio.run(main()).expired() is False
