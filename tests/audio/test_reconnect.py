from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.audio.reconnect import (
    LONGEST_BACK_OFF_S,
    TABLE,
    Action,
    Event,
    Failed,
    Link,
    Look,
    Opened,
    Start,
    State,
    Stop,
    back_off_s,
    diagram,
    step,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "audio.md"
LOOK_EVERY_S = 0.1


def after(*events: Event) -> tuple[Link, list[Action]]:
    """The link after `events`, and all that it asked for."""
    link = Link()
    asked: list[Action] = []
    for event in events:
        link, actions = step(link, event)
        asked += actions
    return link, asked


RUNNING: tuple[Event, ...] = (Start(0), Opened(0.1), Look(1.0, heard_at=0.9, active=True))


def test_it_runs_once_sound_has_come() -> None:
    link, asked = after(*RUNNING)
    assert link.state is State.RUNNING
    assert asked == [Action.OPEN, Action.REPORT_BACK]


def test_a_microphone_that_falls_silent_is_noticed_within_a_second() -> None:
    link, _ = after(*RUNNING)
    last_heard = at = 5.0
    actions: tuple[Action, ...] = ()
    while not actions:
        at += LOOK_EVERY_S
        link, actions = step(link, Look(at, heard_at=last_heard, active=True))
    assert actions == (Action.CLOSE, Action.REPORT_LOST)
    assert at - last_heard <= 1.0


@pytest.mark.parametrize(
    "sign", [Look(5.0, heard_at=5.0, active=False), Look(5.0, heard_at=5.0, active=True, moved=True)]
)
def test_a_stream_that_stopped_or_was_moved_is_lost_at_once(sign: Look) -> None:
    link, asked = after(*RUNNING, sign)
    assert link.state is State.WAITING
    assert asked[-2:] == [Action.CLOSE, Action.REPORT_LOST]


def test_a_callback_that_is_late_is_no_loss() -> None:
    link, _ = after(*RUNNING, Look(5.0, heard_at=4.6, active=True))
    assert link.state is State.RUNNING


def test_a_reader_that_was_away_does_not_take_that_for_a_loss() -> None:
    link, _ = after(*RUNNING, Look(60.0, heard_at=59.98, active=True))
    assert link.state is State.RUNNING


def test_the_first_sound_may_take_three_seconds_but_no_longer() -> None:
    link, _ = after(Start(0), Opened(0), Look(2.9, heard_at=None, active=True))
    assert link.state is State.STARTING
    link, actions = step(link, Look(3.1, heard_at=None, active=True))
    assert link.state is State.WAITING
    assert Action.REPORT_LOST in actions


def test_it_is_opened_again_in_a_fresh_list_after_the_back_off() -> None:
    link, _ = after(*RUNNING, Look(5.0, heard_at=4.0, active=True))
    early, nothing = step(link, Look(5.1, heard_at=None, active=False))
    assert (early.state, nothing) == (State.WAITING, ())
    link, actions = step(early, Look(link.retry_at, heard_at=None, active=False))
    assert (link.state, actions) == (State.OPENING, (Action.REFRESH,))


def test_the_back_off_doubles_up_to_a_limit_and_begins_anew_after_sound() -> None:
    link, _ = after(*RUNNING, Look(5.0, heard_at=4.0, active=True))
    waits = []
    for _ in range(8):
        waits.append(link.retry_at - link.since)
        link, _ = step(link, Look(link.retry_at, heard_at=None, active=False))
        link, _ = step(link, Failed(link.since))
    assert waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0])
    link, _ = step(link, Look(link.retry_at, heard_at=None, active=False))
    link, _ = step(link, Opened(link.since))
    link, _ = step(link, Look(link.since + 1, heard_at=link.since + 1, active=True))
    assert link.failures == 0


EVENTS = st.one_of(
    st.builds(Opened, at=st.floats(0, 100)),
    st.builds(Failed, at=st.floats(0, 100)),
    st.builds(Start, at=st.floats(0, 100)),
    st.builds(
        Look, at=st.floats(0, 100), heard_at=st.none() | st.floats(0, 100), active=st.booleans(), moved=st.booleans()
    ),
)


@given(st.lists(EVENTS, max_size=30))
def test_a_stream_is_never_opened_twice_nor_left_open(events: list[Event]) -> None:
    link, is_open = Link(), False
    for event in [*events, Stop(100.0)]:
        link, actions = step(link, event)
        for action in actions:
            if action in (Action.OPEN, Action.REFRESH):
                assert not is_open
            elif action is Action.CLOSE:
                is_open = False
        if isinstance(event, Opened) and link.state is State.STARTING:
            is_open = True
        assert is_open <= (link.state in (State.STARTING, State.RUNNING))
    assert link.state is State.ENDED
    assert not is_open
    assert step(link, Start(101.0)) == (link, ())


@given(st.integers(0, 10_000))
def test_the_back_off_is_bounded(failures: int) -> None:
    assert 0 < back_off_s(failures) <= LONGEST_BACK_OFF_S


def test_every_state_can_be_left_for_the_end() -> None:
    for state in set(State) - {State.ENDED}:
        assert step(Link(state=state), Stop(0.0))[0].state is State.ENDED


def test_the_document_shows_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert diagram() in text
    assert diagram().count("-->") == sum(len(row.states) for row in TABLE.rows) + 2
