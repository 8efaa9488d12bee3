from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ConfigError
from assistant.listen.waking import (
    TABLE,
    Asked,
    Detected,
    Event,
    GiveUp,
    Hail,
    Heard,
    Output,
    Reset,
    Sleep,
    SpeechAbandoned,
    SpeechBegan,
    SpeechEnded,
    State,
    StreamEnd,
    Wake,
    Waking,
    WakingSettings,
    diagram,
    step,
)

SETTINGS = WakingSettings(sure_s=0.3)


def after(*events: Event) -> tuple[State, list[Output]]:
    """The state that `events` lead to, and all outputs on the way."""
    waking, outputs = Waking(), list[Output]()
    for event in events:
        waking, made = step(waking, event, SETTINGS)
        outputs += made
    return waking.state, outputs


def test_only_the_word_wakes() -> None:
    assert after(Heard(1.0), Heard(2.0)) == (State.ASLEEP, [])
    assert after(Detected(1.0)) == (State.AWAKE, [Wake()])


def test_a_command_in_the_same_breath_hears_no_earcon() -> None:
    state, outputs = after(Detected(1.0), Heard(1.2), SpeechBegan(1.1), Heard(2.0), SpeechEnded(3.0))
    assert state is State.LINGERING
    assert outputs == [Wake()]


def test_silence_after_the_word_is_hailed_once() -> None:
    assert after(Detected(1.0), Heard(1.4), Heard(1.7), Heard(1.8))[1] == [Wake(), Hail()]


def test_a_command_may_begin_until_the_window_closes() -> None:
    assert after(Detected(1.0), Heard(6.2), SpeechBegan(5.9))[0] is State.LISTENING
    state, outputs = after(Detected(1.0), Heard(6.31))
    assert (state, outputs) == (State.ASLEEP, [Wake(), Sleep()])


def test_the_rest_of_a_command_needs_no_word() -> None:
    said = (Detected(1.0), SpeechBegan(1.1), SpeechEnded(3.0))
    assert after(*said, Heard(3.7), SpeechBegan(3.6))[0] is State.LISTENING
    assert after(*said, Heard(4.2))[0] is State.ASLEEP


def test_an_answer_to_a_question_needs_no_word_for_eight_seconds() -> None:
    asked = (Detected(1.0), SpeechBegan(1.1), SpeechEnded(3.0), Asked(), Heard(4.0))
    assert after(*asked, Heard(12.2), SpeechBegan(11.9))[0] is State.LISTENING
    assert after(*asked, Heard(12.4))[0] is State.ASLEEP


def test_the_window_opens_again_when_the_question_has_been_played() -> None:
    asked = (Detected(1.0), SpeechBegan(1.1), SpeechEnded(3.0), Asked(), Heard(3.2), Reset(), Heard(9.0))
    assert after(*asked, Heard(17.2))[0] is State.FOLLOW_UP
    assert after(*asked, Heard(17.4))[0] is State.ASLEEP


def test_a_question_to_a_sleeper_wakes_it() -> None:
    assert after(Asked(), Heard(1.0), SpeechBegan(2.0))[0] is State.LISTENING


def test_the_word_said_again_begins_anew() -> None:
    state, outputs = after(Detected(1.0), SpeechBegan(1.6), Detected(2.2))
    assert (state, outputs) == (State.AWAKE, [Wake(), GiveUp(), Wake()])


def test_a_word_like_it_inside_a_long_command_does_not_break_it() -> None:
    state, outputs = after(Detected(1.0), SpeechBegan(1.1), Detected(3.5))
    assert (state, outputs) == (State.LISTENING, [Wake()])


def test_the_echo_of_the_word_is_no_command_and_costs_no_time() -> None:
    echo = (Detected(1.0), SpeechBegan(1.0), SpeechEnded(1.25))
    assert after(*echo) == (State.AWAKE, [Wake(), GiveUp()])
    assert after(*echo, Heard(6.2))[0] is State.AWAKE
    assert after(*echo, Heard(6.4))[0] is State.ASLEEP


def test_a_reply_puts_it_to_sleep_but_not_a_word_just_said() -> None:
    assert after(Detected(1.0), SpeechBegan(1.1), SpeechEnded(2.0), Reset())[0] is State.ASLEEP
    assert after(Detected(1.0), Reset())[0] is State.AWAKE


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_left_and_ends_with_the_stream(state: State) -> None:
    ways: dict[State, tuple[Event, ...]] = {
        State.ASLEEP: (),
        State.AWAKE: (Detected(1.0),),
        State.FOLLOW_UP: (Asked(),),
        State.LISTENING: (Detected(1.0), SpeechBegan(1.5)),
        State.LINGERING: (Detected(1.0), SpeechBegan(1.5), SpeechEnded(2.0)),
    }
    assert after(*ways[state])[0] is state
    assert after(*ways[state], StreamEnd())[0] is State.ASLEEP
    assert any(state in row.states and row.to is not state for row in TABLE.rows)


MADE_AT: tuple[Callable[[float], Event], ...] = (
    Detected,
    SpeechBegan,
    SpeechEnded,
    Heard,
    lambda _: Asked(),
    lambda _: Reset(),
    lambda _: SpeechAbandoned(),
)


@given(st.lists(st.sampled_from(MADE_AT), max_size=30))
def test_whatever_happens_it_sleeps_when_nobody_speaks_any_more(makers: list[Callable[[float], Event]]) -> None:
    waking = Waking()
    for at, make in enumerate(makers):
        waking, _ = step(waking, make(float(at)), SETTINGS)
    end = float(len(makers))
    for event in (SpeechEnded(end), Heard(end), Heard(end + 20.0)):
        waking, _ = step(waking, event, SETTINGS)
    assert waking.state is State.ASLEEP


@pytest.mark.parametrize("wrong", [{"awake_s": 0.1}, {"follow_up_s": -1.0}, {"linger_s": -0.1}])
def test_windows_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        WakingSettings(**wrong)


def test_the_page_shows_the_table(repository: Path) -> None:
    assert diagram() in (repository / "docs" / "wake.md").read_text(encoding="utf-8")
