"""What a Wyoming client's sound is for, and how much of it is heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.integrations.wyoming_stream import (
    IDLE_S,
    STALLED_S,
    Action,
    Asked,
    Detected,
    Event,
    Look,
    Purpose,
    Sound,
    Started,
    State,
    Stopped,
    Stream,
    step,
)

CAP_S = 30.0


def after(*events: Event, stream: Stream | None = None) -> tuple[Stream, list[Action]]:
    stream = stream or Stream(CAP_S, 0.0)
    actions: list[Action] = []
    for event in events:
        stream, new = step(stream, event)
        actions += new
    return stream, actions


def test_sound_for_a_transcript_is_kept_and_recognised_at_its_end() -> None:
    _, actions = after(Started(0), Sound(1, 0.5), Sound(2, 0.5), Stopped(3))
    assert actions == [Action.BEGIN, Action.KEEP, Action.KEEP, Action.TRANSCRIBE]


def test_an_hour_of_sound_is_heard_for_half_a_minute_and_answered_once() -> None:
    stream, actions = after(Started(0), *(Sound(t / 10, 0.1) for t in range(36_000)), Stopped(3_600))
    assert actions.count(Action.TRANSCRIBE) == 1
    assert actions.count(Action.KEEP) * 0.1 <= CAP_S + 0.1
    assert stream.state is State.IDLE


def test_sound_for_wake_words_is_never_kept() -> None:
    _, actions = after(Asked(0, Purpose.WAKE), Started(0), *(Sound(t, 1.0) for t in range(3_600)), Stopped(3_600))
    assert actions == [Action.BEGIN, *[Action.DETECT] * 3_600, Action.NOT_DETECTED]


def test_not_detected_is_said_only_where_nothing_was() -> None:
    _, actions = after(Asked(0, Purpose.WAKE), Started(0), Sound(1, 1), Detected(1), Sound(2, 1), Stopped(3))
    assert Action.NOT_DETECTED not in actions


def test_sound_that_nobody_announced_is_not_heard() -> None:
    assert after(Sound(0, 1), Stopped(1))[1] == []


@pytest.mark.parametrize("purpose", list(Purpose))
def test_who_stops_in_the_middle_is_cut_off(purpose: Purpose) -> None:
    stream, _ = after(Asked(0, purpose), Started(0), Sound(1, 1))
    assert after(Look(1 + STALLED_S), stream=stream)[0].state is not State.CUT
    assert after(Look(1.1 + STALLED_S), stream=stream)[0].state is State.CUT


def test_who_asks_nothing_may_wait_longer() -> None:
    assert after(Look(IDLE_S))[0].state is State.IDLE
    assert after(Look(IDLE_S + 1))[0].state is State.CUT


EVENTS = st.one_of(
    st.builds(Asked, st.just(0.0), st.sampled_from(Purpose)),
    st.builds(Started, st.just(0.0)),
    st.builds(Sound, st.just(0.0), st.floats(0, 5)),
    st.builds(Stopped, st.just(0.0)),
    st.builds(Detected, st.just(0.0)),
    st.builds(Look, st.floats(0, 20)),
)


@given(st.lists(EVENTS, max_size=100))
def test_never_more_than_the_cap_and_a_chunk_is_kept(events: list[Event]) -> None:
    stream, kept = Stream(CAP_S, 0.0), 0.0
    for event in events:
        stream, actions = step(stream, event)
        if Action.BEGIN in actions or Action.TRANSCRIBE in actions:
            kept = 0.0
        elif Action.KEEP in actions and isinstance(event, Sound):
            kept += event.seconds
        assert kept < CAP_S
        if stream.state is State.CUT:
            assert step(stream, Started(0.0)) == (stream, ())
            break
