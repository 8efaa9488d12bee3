"""The schedule as a pure function of rows and clocks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assistant.act.timing import Now, Timer, lengthened, paused, remaining_s, resumed, schedule, started

NOW = Now(1_700_000_000.0, 1_000.0, "boot 1", 900.0)
LENGTHS = st.floats(1, 366 * 86_400)
PASSED = st.floats(0, 366 * 86_400)


def later(now: Now, seconds: float, *, wall_step_s: float = 0.0) -> Now:
    return replace(now, wall=now.wall + seconds + wall_step_s, monotonic=now.monotonic + seconds)


@given(LENGTHS, PASSED, st.floats(-1e9, 1e9))
def test_within_a_boot_only_time_that_passed_counts(length_s: float, passed_s: float, step_s: float) -> None:
    timer = started(NOW, length_s)
    left_s = remaining_s(timer, later(NOW, passed_s, wall_step_s=step_s))
    assert abs(left_s - (length_s - passed_s)) < 1e-3


@given(LENGTHS, st.floats(-1e9, 1e9), PASSED)
def test_after_another_boot_it_never_runs_longer_than_its_length(
    length_s: float, wall_s: float, passed_s: float
) -> None:
    timer = started(NOW, length_s)
    woken = Now(NOW.wall + wall_s, 5.0 + passed_s, "boot 2", since=5.0)
    assert remaining_s(timer, woken) <= length_s - passed_s + 1e-3


@given(LENGTHS, PASSED, PASSED)
def test_pausing_and_resuming_changes_nothing_but_the_time_between(
    length_s: float, ran_s: float, away_s: float
) -> None:
    timer = started(NOW, length_s)
    at_pause = later(NOW, ran_s)
    at_resume = later(at_pause, away_s)
    again = resumed(paused(timer, at_pause), at_resume)
    assert abs(remaining_s(again, at_resume) - max(remaining_s(timer, at_pause), 0.0)) < 1e-3


@given(LENGTHS, st.floats(1, 1e6))
def test_adding_and_taking_away_the_same_leaves_it_as_it_was(length_s: float, seconds: float) -> None:
    timer = started(NOW, length_s)
    same = lengthened(lengthened(timer, NOW, seconds), NOW, -seconds)
    assert abs(remaining_s(same, NOW) - length_s) < 1e-3


@given(st.lists(st.floats(1, 1000), max_size=20), PASSED)
def test_due_are_exactly_those_whose_time_is_over_and_the_wait_ends_at_the_next(
    lengths: list[float], passed_s: float
) -> None:
    timers = [replace(started(NOW, length_s), id=number) for number, length_s in enumerate(lengths, start=1)]
    now = later(NOW, passed_s)
    plan = schedule(timers, now, longest_s=100.0)
    running = [timer for timer in timers if timer not in plan.due]
    assert all(remaining_s(timer, now) <= 0 for timer in plan.due)
    assert all(remaining_s(timer, now) > 0 for timer in running)
    assert plan.wait_s == min([100.0, *(remaining_s(timer, now) for timer in running)])
    assert [t.ends_monotonic for t in plan.due] == sorted(t.ends_monotonic for t in plan.due)


def test_paused_timers_are_never_due_and_ringing_ones_end_after_a_minute() -> None:
    waiting = paused(started(NOW, 5), NOW)
    ringing: Timer = replace(started(NOW, 5), rang_wall=NOW.wall + 5)
    assert schedule([waiting, ringing], later(NOW, 64), 100.0).due == ()
    assert schedule([waiting, ringing], later(NOW, 64), 100.0).over == ()
    assert schedule([waiting, ringing], later(NOW, 65), 100.0).over == (ringing,)
