"""The rooms that run all the time follow lasting load and heat, slowly, and never flap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.schedule.ambient import RETURNS_AFTER_S, SPARES_AFTER_S, Ambient, followed
from assistant.schedule.signals import Signals

EVERY_S = 5.0
MOST_C = 80.0
BUSY, CALM = Signals(pressure=0.9), Signals(pressure=0.0)


def lasting(state: Ambient, signals: Signals, seconds: float, at: float = 0.0) -> Ambient:
    for n in range(int(seconds / EVERY_S) + 1):
        state = followed(state, signals, MOST_C, at + n * EVERY_S)
    return state


def test_a_short_load_changes_nothing_and_a_lasting_one_does() -> None:
    assert not lasting(Ambient(), BUSY, SPARES_AFTER_S - EVERY_S).sparing
    state = lasting(Ambient(), BUSY, SPARES_AFTER_S)
    assert state.sparing
    assert state.reason == "CPU pressure 90%"


def test_it_returns_later_than_it_went() -> None:
    assert lasting(Ambient(sparing=True), CALM, RETURNS_AFTER_S - EVERY_S).sparing
    assert not lasting(Ambient(sparing=True), CALM, RETURNS_AFTER_S).sparing


@pytest.mark.parametrize("hot", [Signals(pressure=0.0, temperature_c=82.0), Signals(pressure=0.0, throttled_bits=4)])
def test_heat_counts_like_load(hot: Signals) -> None:
    assert lasting(Ambient(), hot, SPARES_AFTER_S).sparing
    assert lasting(Ambient(sparing=True), hot, 10 * RETURNS_AFTER_S).sparing


def test_it_waits_until_the_board_is_a_little_cooler() -> None:
    warm = Signals(pressure=0.0, temperature_c=MOST_C - 2)
    assert lasting(Ambient(sparing=True), warm, 10 * RETURNS_AFTER_S).sparing


def test_signals_that_are_missing_change_nothing() -> None:
    assert not lasting(Ambient(), Signals(), 3600.0).sparing
    assert lasting(Ambient(sparing=True), Signals(), 3600.0).sparing


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.floats(0, 1), st.floats(20, 100)), max_size=200))
def test_no_signal_makes_it_flap(readings: list[tuple[float, float, float]]) -> None:
    state, at, changes = Ambient(), 0.0, []
    for gap_s, pressure, celsius in readings:
        at += gap_s
        new = followed(state, Signals(pressure=pressure, temperature_c=celsius), MOST_C, at)
        if new.sparing != state.sparing:
            changes.append(at)
        state = new
    assert all(b - a >= SPARES_AFTER_S for a, b in itertools.pairwise(changes))
    assert all(c - a >= SPARES_AFTER_S + RETURNS_AFTER_S for a, c in zip(changes, changes[2:], strict=False))


def test_a_clock_that_jumps_back_starts_the_wait_anew() -> None:
    state = followed(Ambient(), BUSY, MOST_C, 1000.0)
    assert not followed(state, BUSY, MOST_C, 10.0).sparing
