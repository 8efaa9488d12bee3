from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ConfigError
from assistant.listen.endpoint import (
    Abandon,
    Begin,
    DiscardSpeculation,
    End,
    Endpoint,
    EndpointSettings,
    Event,
    Output,
    Press,
    Release,
    Reset,
    Speculate,
    SpeculationReady,
    State,
    StreamEnd,
    Undecided,
    Unvoiced,
    Voiced,
    diagram,
    step,
)
from assistant.types import EndReason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "listening.md"
SETTINGS = EndpointSettings()
SPEECH, SILENCE, PERHAPS = "v", "_", "?"


def of_frame(letter: str, frame: int, since: int) -> Event:
    if letter == SPEECH:
        return Voiced(frame, since)
    return Unvoiced(frame) if letter == SILENCE else Undecided(frame)


def play(
    script: str, settings: EndpointSettings = SETTINGS, answer: SpeculationReady | None = None
) -> list[tuple[int, Output]]:
    """Outputs and the frame that made each: one letter a frame; `answer` comes at once to every speculation."""
    endpoint, outputs = Endpoint(), list[tuple[int, Output]]()
    run = 0
    for frame, letter in enumerate(script):
        run = run if letter == SPEECH and frame and script[frame - 1] == SPEECH else frame
        event = of_frame(letter, frame, run)
        endpoint, made = step(endpoint, event, settings)
        outputs += [(frame, output) for output in made]
        if answer and Speculate() in made:
            endpoint, made = step(endpoint, answer, settings)
            outputs += [(frame, output) for output in made]
    return outputs


def silence_before_the_end(answer: SpeculationReady | None) -> float:
    outputs = play(SPEECH * 50 + SILENCE * 100, answer=answer)
    return (outputs[-1][0] - 49) * 0.02


@pytest.mark.parametrize(
    ("answer", "silence_s"),
    [
        (None, 0.7),
        (SpeculationReady(complete=False, terminal=False), 0.7),
        (SpeculationReady(complete=True, terminal=False), 0.3),
        (SpeculationReady(complete=True, terminal=True), 0.2),
    ],
)
def test_the_silence_that_ends_an_utterance_depends_on_what_was_heard(
    answer: SpeculationReady | None, silence_s: float
) -> None:
    assert silence_before_the_end(answer) == pytest.approx(silence_s)


def test_a_pause_of_150_ms_asks_for_recognition_once() -> None:
    asked = [frame for frame, output in play(SPEECH * 10 + SILENCE * 30) if output == Speculate()]
    assert len(asked) == 1
    assert (asked[0] - 9) * 0.02 == pytest.approx(0.15, abs=0.011)


def test_speech_that_goes_on_discards_the_speculation() -> None:
    outputs = [output for _, output in play(SPEECH * 10 + SILENCE * 20 + SPEECH * 10 + SILENCE * 50)]
    assert outputs == [Begin(), Speculate(), DiscardSpeculation(), Speculate(), End(EndReason.SILENCE)]


def test_a_gap_between_words_is_no_pause() -> None:
    assert [output for _, output in play(SPEECH * 10 + SILENCE * 5 + SPEECH * 10)] == [Begin()]


def test_what_is_undecided_does_not_end_an_utterance_but_silence_goes_on_counting() -> None:
    quiet = play(SPEECH * 10 + SILENCE * 100)
    doubtful = play(SPEECH * 10 + SILENCE * 30 + PERHAPS * 10 + SILENCE * 60)
    assert doubtful[-1] == (50, End(EndReason.SILENCE))
    assert quiet[-1] == (44, End(EndReason.SILENCE))


def test_endless_speech_is_cut_at_the_cap() -> None:
    outputs = play(SPEECH * 700)
    assert outputs[:2] == [(0, Begin()), (599, End(EndReason.CAP))]


def test_a_button_begins_and_ends_and_silence_does_not() -> None:
    settings = EndpointSettings(always=False)
    endpoint, begun = step(Endpoint(), Press(0), settings)
    assert begun == (Begin(),)
    for frame in range(200):
        endpoint, made = step(endpoint, Unvoiced(frame), settings)
        assert made == ()
    assert step(endpoint, Release(), settings)[1] == (End(EndReason.RELEASED),)


def test_with_push_to_talk_voice_alone_begins_nothing() -> None:
    assert play(SPEECH * 100, EndpointSettings(always=False)) == []


def test_an_answer_that_comes_after_its_silence_ends_with_the_next_frame() -> None:
    endpoint, frame = Endpoint(), 0
    for frame, letter in enumerate(SPEECH * 10 + SILENCE * 20):
        endpoint, _ = step(endpoint, Voiced(frame, 0) if letter == SPEECH else Unvoiced(frame), SETTINGS)
    endpoint, _ = step(endpoint, SpeculationReady(complete=True, terminal=False), SETTINGS)
    assert step(endpoint, Unvoiced(frame + 1), SETTINGS)[1] == (End(EndReason.COMPLETE),)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Frames in order, with buttons, answers and resets between them."""
    events: list[Event] = []
    frame = run = 0
    for kind, length in draw(st.lists(st.tuples(st.sampled_from("v_?prsxe"), st.integers(1, 60)), max_size=40)):
        if kind in "v_?":
            run = frame
            for _ in range(length):
                events.append(of_frame(kind, frame, run))
                frame += 1
        else:
            ready = SpeculationReady(complete=length % 2 == 0, terminal=length % 4 == 0)
            others: dict[str, Event] = {"p": Press(frame), "r": Release(), "s": ready, "x": Reset(), "e": StreamEnd()}
            events.append(others[kind])
    return events


@given(histories(), st.booleans())
def test_outputs_come_in_an_order_that_makes_sense(events: list[Event], always: bool) -> None:  # noqa: FBT001
    settings = EndpointSettings(always=always)
    endpoint, outputs = Endpoint(), list[Output]()
    for event in [*events, StreamEnd()]:
        endpoint, made = step(endpoint, event, settings)
        outputs += made
    assert endpoint.state is State.IDLE
    for before, after in pairwise([End(EndReason.SILENCE), *outputs]):
        if isinstance(before, (End, Abandon)):
            assert isinstance(after, Begin), "nothing happens between utterances"
        elif isinstance(before, (Begin, DiscardSpeculation)):
            assert not isinstance(after, (Begin, DiscardSpeculation)), "one beginning, and nothing discarded twice"
        else:
            assert isinstance(after, (DiscardSpeculation, End, Abandon)), "after a speculation it goes on or ends"
    assert not outputs or isinstance(outputs[-1], (End, Abandon))


@given(histories())
def test_no_utterance_is_longer_than_the_cap(events: list[Event]) -> None:
    endpoint = Endpoint()
    for event in events:
        endpoint, _ = step(endpoint, event, SETTINGS)
        if endpoint.state is not State.IDLE:
            assert (endpoint.now + 1 - endpoint.begin) * 0.02 < SETTINGS.cap_s


@given(histories())
def test_speculation_is_discarded_just_when_speech_goes_on(events: list[Event]) -> None:
    endpoint = Endpoint()
    speculative = {State.SPECULATED, State.COMPLETE, State.TERMINAL}
    for event in events:
        before = endpoint.state
        endpoint, made = step(endpoint, event, SETTINGS)
        assert (DiscardSpeculation() in made) == (before in speculative and isinstance(event, (Voiced, Press)))


def test_the_diagram_in_the_documents_is_current() -> None:
    assert f"```mermaid\n{diagram()}\n```\n" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "lengths", [{"speculate_s": 0.0}, {"complete_s": 0.8}, {"terminal_s": 0.4}, {"cap_s": 0.5}, {"pre_roll_s": -1.0}]
)
def test_lengths_out_of_order_are_refused_with_a_remedy(lengths: dict[str, float]) -> None:
    with pytest.raises(ConfigError) as caught:
        EndpointSettings(**lengths)  # type: ignore[arg-type]
    assert caught.value.where == "listen.endpoint"
    assert caught.value.remedy
