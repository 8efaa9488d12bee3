"""The clock to hold: nothing passes by itself, waiters go on at their deadline or event, not before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from assistant.clock import Clock
from assistant.testing import HeldClock


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Start `work`; its result is appended to the list when it is done."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def test_time_passes_only_by_hand(clock: HeldClock) -> None:
    held: Clock = clock
    before = (held.monotonic(), held.wall())
    clock.advance(2.5)
    assert (held.monotonic(), held.wall()) == (before[0] + 2.5, before[1] + 2.5)


def test_the_wall_clock_can_be_stepped_alone(clock: HeldClock) -> None:
    before = clock.monotonic()
    clock.set_wall(5.0)
    assert (clock.wall(), clock.monotonic()) == (5.0, before)


def test_time_does_not_go_back(clock: HeldClock) -> None:
    with pytest.raises(ValueError, match="time does not go back: -1"):
        clock.advance(-1)


def test_a_waiter_goes_on_at_its_deadline_and_not_before(clock: HeldClock) -> None:
    thread, results = in_thread(lambda: clock.wait(threading.Event(), 10.0))
    clock.wait_for_waiters()
    clock.advance(9.0)
    assert clock.advance_to_next() == pytest.approx(1.0)
    thread.join(30)
    assert results == [False]


def test_a_waiter_goes_on_when_its_event_is_set_though_no_time_passes(clock: HeldClock) -> None:
    event = threading.Event()
    thread, results = in_thread(lambda: clock.wait(event, 1000.0))
    clock.wait_for_waiters()
    event.set()
    thread.join(30)
    assert results == [True]


def test_waiting_for_something_set_or_for_no_time_returns_at_once(clock: HeldClock) -> None:
    event = threading.Event()
    assert clock.wait(event, 0.0) is False
    event.set()
    assert clock.wait(event, 1000.0) is True


def test_the_nearest_deadline_comes_first(clock: HeldClock) -> None:
    late, late_results = in_thread(lambda: clock.wait(threading.Event(), 20.0))
    early, early_results = in_thread(lambda: clock.wait(threading.Event(), 5.0))
    clock.wait_for_waiters(2)
    assert clock.advance_to_next() == pytest.approx(5.0)
    early.join(30)
    assert (early_results, late_results) == ([False], [])
    assert clock.advance_to_next() == pytest.approx(15.0)
    late.join(30)
    assert late_results == [False]


def test_jumping_to_the_next_deadline_needs_a_waiter(clock: HeldClock) -> None:
    with pytest.raises(RuntimeError, match="no thread is waiting on this clock"):
        clock.advance_to_next()
