"""A flood gets its share of the processor and no more; who asks now and then never waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.pace import Pace


def settled(cost_s: float, share: float = 0.2) -> Pace:
    pace = Pace(share)
    for _ in range(200):
        pace.spent(cost_s)
    return pace


def test_who_asks_now_and_then_never_waits() -> None:
    pace = settled(0.01)
    assert [pace.turn(float(second)) for second in range(100)] == [0.0] * 100


def test_a_burst_is_done_at_once() -> None:
    pace = settled(0.001)
    assert [pace.turn(1000.0) for _ in range(100)] == [0.0] * 100
    assert pace.turn(1000.0) >= 0.0


@given(st.floats(0.0001, 0.05), st.floats(0.05, 0.9))
def test_a_flood_gets_its_share(cost_s: float, share: float) -> None:
    pace = settled(cost_s, share)
    waits = [pace.turn(0.0) for _ in range(2000)]
    assert waits == sorted(waits)
    worked_s = 2000 * cost_s - pace.burst_s
    assert waits[-1] == pytest.approx(max(worked_s - cost_s, 0.0) / share, rel=0.01, abs=2 * cost_s / share)


def test_after_a_flood_has_ended_nobody_waits() -> None:
    pace = settled(0.01)
    last = max(pace.turn(0.0) for _ in range(500))
    assert pace.turn(last + 10.0) == 0.0
