"""When a part is started again and when it is given up, on held time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.supervision import (
    LATE_S,
    Action,
    Begin,
    Ended,
    Event,
    Look,
    Policy,
    Started,
    State,
    Stop,
    Watched,
    step,
)

POLICY = Policy(first_s=1.0, longest_s=8.0, limit=5, settled_s=60.0, stuck_s=5.0, start_s=30.0, stuck_limit=3)


def after(watched: Watched, *events: Event) -> Watched:
    for event in events:
        watched, _ = step(watched, event)
    return watched


def running(at: float = 0.0, policy: Policy = POLICY) -> Watched:
    return after(Watched(policy), Begin(at), Started(at))


def test_what_ends_is_started_again_after_a_pause_that_doubles() -> None:
    watched, at, pauses = running(), 0.0, []
    for _ in range(4):
        watched, actions = step(watched, Ended(at, "it broke"))
        assert actions == (Action.REPORT, Action.STOP)
        pauses.append(watched.retry_at - at)
        assert step(watched, Look(watched.retry_at - 0.01))[1] == ()
        at = watched.retry_at
        watched, actions = step(watched, Look(at))
        assert Action.START in actions
        watched = after(watched, Started(at))
    assert pauses == [1, 2, 4, 8]


def test_failures_in_a_row_reach_the_limit_and_settling_forgets_them() -> None:
    watched = running()
    for at in range(4):
        watched = after(watched, Ended(float(at), "no"), Look(at + 100.0), Started(float(at)))
    assert after(watched, Ended(5.0, "no")).state is State.GIVEN_UP
    settled = after(watched, Ended(4.0 + POLICY.settled_s, "no"))
    assert (settled.state, settled.failures) == (State.WAITING, 1)


def test_no_limit_means_never() -> None:
    watched = running(policy=Policy())
    for at in range(1000):
        watched = after(watched, Ended(float(at), "no"), Look(at + 1000.0), Started(float(at)))
    assert watched.state is State.RUNNING


def test_progress_keeps_and_its_absence_restarts() -> None:
    watched = running()
    for second in range(100):
        watched = after(watched, Look(float(second), progress=second))
    assert watched.state is State.RUNNING
    stuck = after(watched, Look(102.0, progress=99), Look(104.1, progress=99))
    assert (stuck.state, stuck.why) == (State.WAITING, "it made no progress")


def test_who_need_not_make_progress_is_not_judged() -> None:
    assert after(running(), Look(1.0, progress=1), Look(1000.0, progress=None)).state is State.RUNNING


def test_a_process_that_stood_still_judges_nobody() -> None:
    watched = after(running(), Look(0.0, progress=1))
    assert after(watched, Look(31.0, progress=1, late_s=30.0)).state is State.RUNNING
    # and from then on the time counts again
    again = after(watched, Look(31.0, progress=1, late_s=30.0), Look(36.5, progress=1, late_s=LATE_S))
    assert again.state is State.WAITING


def test_a_start_that_hangs_is_given_up_and_tried_again() -> None:
    starting = after(Watched(POLICY), Begin(0.0))
    assert after(starting, Look(29.0)).state is State.STARTING
    assert after(starting, Look(31.0)).state is State.WAITING


def test_where_no_start_helps_against_being_stuck_it_is_said_sooner() -> None:
    watched = running()
    for at in (10.0, 20.0):
        watched = after(watched, Look(at, 1), Look(at + 6, 1), Look(at + 9), Started(at + 9))
    assert after(watched, Look(30.0, 1), Look(36.0, 1)).state is State.GIVEN_UP


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.WAITING, State.GIVEN_UP])
def test_what_is_not_wanted_is_stopped_from_any_state(state: State) -> None:
    watched, actions = step(Watched(POLICY, state), Stop(1.0))
    assert watched.state is State.STOPPED
    assert Action.STOP in actions


@given(
    st.lists(
        st.one_of(
            st.builds(Begin, st.floats(0, 100)),
            st.builds(Started, st.floats(0, 100)),
            st.builds(Ended, st.floats(0, 100), st.just("no")),
            st.builds(Look, st.floats(0, 100), st.one_of(st.none(), st.integers(0, 3)), st.floats(0, 5)),
            st.builds(Stop, st.floats(0, 100)),
        )
    )
)
def test_it_is_never_started_twice_at_once(events: list[Event]) -> None:
    watched, alive = Watched(POLICY), 0
    for event in events:
        was_alive = watched.state in (State.STARTING, State.RUNNING)
        watched, actions = step(watched, event)
        alive = 0 if Action.STOP in actions else alive
        alive += actions.count(Action.START)
        assert alive <= 1
        assert Action.START not in actions or not was_alive
