"""The delays before a service is restarted."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aster_sidecar.services.config import ServiceSpec
from aster_sidecar.services.supervisor import backoff_s

at_any_pace = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLAIN = ServiceSpec(name="a", command=("true",))


def test_the_delay_doubles_up_to_its_limit() -> None:
    assert [backoff_s(PLAIN, attempt, 0.5) for attempt in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


@at_any_pace
@given(st.integers(0, 100_000), st.floats(0, 1))
def test_the_delay_is_spread_by_a_fifth(attempt: int, chance: float) -> None:
    plain = backoff_s(PLAIN, attempt, 0.5)
    assert 0.8 * plain - 1e-9 <= backoff_s(PLAIN, attempt, chance) <= 1.2 * plain + 1e-9
