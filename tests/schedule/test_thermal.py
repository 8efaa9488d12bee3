"""The forecast of heat follows the curve that heated bodies follow, and keeps still where there is nothing to tell."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.schedule.thermal import TAU_S, Reading, remembered, seconds_until, trend_c_per_s


def heated(start_c: float, end_c: float, seconds: float, step_s: float = 5.0) -> list[Reading]:
    count = int(seconds / step_s) + 1
    return [(n * step_s, end_c - (end_c - start_c) * math.exp(-n * step_s / TAU_S)) for n in range(count)]


@given(st.floats(20, 50), st.floats(5, 60), st.floats(20, 120), st.floats(0.3, 0.9))
def test_the_time_to_throttle_is_that_of_the_curve(start_c: float, rise_c: float, seconds: float, part: float) -> None:
    end_c = start_c + rise_c
    readings = heated(start_c, end_c, seconds)
    now_s, now_c = readings[-1]
    trip_c = now_c + part * (end_c - now_c)
    expected_s = TAU_S * math.log((end_c - now_c) / (end_c - trip_c))
    found = seconds_until(readings, trip_c)
    assert found == pytest.approx(expected_s, rel=0.01, abs=0.1)
    assert now_s >= 0


def test_a_board_that_settles_below_does_not_throttle() -> None:
    assert seconds_until(heated(40.0, 70.0, 60.0), 80.0) is None


def test_at_the_trip_point_it_throttles_now() -> None:
    assert seconds_until([(0.0, 81.0)], 80.0) == 0.0


def test_a_frozen_sensor_forecasts_nothing() -> None:
    readings = [(5.0 * n, 55.0) for n in range(20)]
    assert seconds_until(readings, 80.0) is None
    assert trend_c_per_s(readings) == pytest.approx(0.0)


def test_a_board_that_was_hot_and_cools_does_not_throttle() -> None:
    hot = [(at, c) for at, c in heated(60.0, 92.0, 120.0)]
    cooling = [(120.0 + at, c) for at, c in heated(hot[-1][1], 45.0, 60.0)][1:]
    warming = [(180.0 + at, c) for at, c in heated(cooling[-1][1], 95.0, 30.0)][1:]
    below = [n for n, (_, c) in enumerate(cooling) if c < 80.0]
    assert len(below) > 5
    for n in below:
        assert seconds_until(hot + cooling[: n + 1], 80.0) is None
    assert seconds_until(hot + cooling + warming, 80.0) == pytest.approx(
        TAU_S * math.log((95.0 - warming[-1][1]) / 15.0), rel=0.1
    )


def test_too_few_readings_forecast_nothing() -> None:
    assert seconds_until(heated(40.0, 90.0, 10.0), 80.0) is None
    assert trend_c_per_s([(0.0, 40.0)]) is None


def test_old_readings_are_forgotten_and_a_clock_that_jumps_back_starts_anew() -> None:
    readings: tuple[Reading, ...] = ()
    for at in range(0, 400, 10):
        readings = remembered(readings, float(at), 50.0)
    assert readings[0][0] >= 390.0 - 180.0
    assert remembered(readings, 5.0, 51.0) == ((5.0, 51.0),)
    assert remembered((), 5.0, None) == ()
