"""Counts and amounts from outside become numbers that every client can read."""

from __future__ import annotations

import math

import pytest

from aster_sidecar.text.numbers import MOST, count, price


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3),
        ("3", 3),
        (2.6, 3),
        (True, 1),
        (MOST, MOST),
        (MOST + 1, 0),
        (-1, 0),
        (math.nan, 0),
        (math.inf, 0),
        ("many", 0),
        (None, 0),
        ([], 0),
        (10**400, 0),
    ],
)
def test_a_count_is_a_number_that_every_client_can_read(value: object, number: int) -> None:
    assert count(value) == number
    assert type(count(value)) is int


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0, 0.0),
        ("0.25", 0.25),
        (1, 1.0),
        (True, None),
        (None, None),
        (-0.1, None),
        (math.nan, None),
        (math.inf, None),
        ("dear", None),
        (10**400, None),
        ({}, None),
    ],
)
def test_a_price_is_an_amount_or_none(value: object, amount: float | None) -> None:
    assert price(value) == amount
