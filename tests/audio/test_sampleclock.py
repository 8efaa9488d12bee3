from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.audio.sampleclock import SampleClock

RATE_HZ = 48_000
BLOCK = 960


def arrivals(
    seconds: float, *, late_s: list[float], drift: float = 0.0, lost_at_s: float = 1e9, lost: int = 0
) -> list[tuple[float, int]]:
    """When how many samples had arrived: every 20 ms of the device's time, each late by some of `late_s`."""
    out = []
    for block in range(1, round(seconds / 0.02)):
        at = block * 0.02 * (1 + drift)
        arrived = block * BLOCK - (lost if at > lost_at_s else 0)
        out.append((1_000 + at + late_s[block % len(late_s)], arrived))
    return out


def feed(clock: SampleClock, seen: list[tuple[float, int]]) -> int:
    return sum(clock.observe(at, arrived) for at, arrived in seen)


@given(st.lists(st.floats(0, 0.4), min_size=1, max_size=40))
def test_callbacks_that_come_late_are_no_loss(late_s: list[float]) -> None:
    late_s[0] = 0.0
    assert feed(SampleClock(RATE_HZ), arrivals(10, late_s=late_s)) == 0


@pytest.mark.parametrize("drift", [-200e-6, 200e-6])
def test_a_device_whose_clock_drifts_loses_nothing_and_its_times_stay_right(drift: float) -> None:
    clock = SampleClock(RATE_HZ)
    seen = arrivals(600, late_s=[0.0, 0.01, 0.03], drift=drift)
    assert feed(clock, seen) == 0
    assert clock.time_of(seen[-1][1]) == pytest.approx(1_000 + 600 * (1 + drift), abs=0.03)


@pytest.mark.parametrize("lost", [RATE_HZ // 4, 3 * RATE_HZ])
def test_samples_that_vanish_are_found_by_the_clock(lost: int) -> None:
    clock = SampleClock(RATE_HZ)
    seen = arrivals(30, late_s=[0.0, 0.01, 0.03], lost_at_s=10, lost=lost)
    assert feed(clock, seen) == pytest.approx(lost, rel=0.02)
    assert clock.time_of(seen[-1][1]) == pytest.approx(seen[-1][0], abs=0.04)


def test_times_are_those_of_the_least_late_callbacks() -> None:
    clock = SampleClock(RATE_HZ)
    feed(clock, arrivals(5, late_s=[0.05, 0.02, 0.0, 0.03]))
    assert clock.time_of(RATE_HZ) == pytest.approx(1_001, abs=1e-4)


def test_before_any_sound_there_is_no_time() -> None:
    with pytest.raises(ValueError, match="no sample has arrived"):
        SampleClock(RATE_HZ).time_of(0)


def test_arrivals_in_these_tests_are_as_they_say() -> None:
    at, arrived = arrivals(1, late_s=[0.0])[-1]
    assert arrived == np.round((at - 1_000) * RATE_HZ)
