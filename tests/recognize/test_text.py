"""Typed commands go through the pipeline like spoken ones: the same meanings, scores that the same decision reads."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from assistant.grammar.load import load_context
from assistant.recognize.engine import Recognizer
from assistant.recognize.text import PreparedText, TextRecognizer, recognize_text
from assistant.testing import check_recognizer
from assistant.types import Outcome, Utterance, frozen_array
from assistant.understand.decide import decide


@pytest.fixture(scope="module")
def home(repository: Path) -> PreparedText:
    return TextRecognizer().prepare(load_context(repository / "examples/home"))


def silence(seconds: float) -> Utterance:
    return Utterance(
        pcm=frozen_array(np.zeros(int(16_000 * seconds), np.int16)),
        at=0.0,
        speech_start_s=0.0,
        speech_end_s=0.0,
        voice=frozen_array(np.zeros(int(50 * seconds), np.float32)),
    )


def test_a_command_typed_in_a_hurry_is_carried_out(home: PreparedText) -> None:
    understanding = decide(recognize_text(home, "turn on teh desk lmap"), home.context)
    assert understanding.outcome is Outcome.ACCEPT
    assert (understanding.intent, dict(understanding.slots)) == ("HassTurnOn", {"name": "desk lamp"})
    assert understanding.text == "turn on the desk lamp"


def test_a_slip_that_may_mean_two_things_is_asked_about(home: PreparedText) -> None:
    transcript = recognize_text(home, "turn of the desk lamp")
    assert {h.intent for h in transcript.hypotheses[:2]} == {"HassTurnOn", "HassTurnOff"}
    assert transcript.hypotheses[0].rerank == transcript.hypotheses[1].rerank
    assert decide(transcript, home.context).outcome is Outcome.ASK


@pytest.mark.parametrize(
    "text",
    [
        "turn on the wonderful desk lamp",  # a word of which nobody knows what it means
        "dim the floor lamp to thirty",  # a word is missing
        "turn on the dining light",  # of a name only a part
        "lock the front",  # of a name only a part, which is no other's
    ],
)
def test_what_is_more_or_less_than_a_command_is_asked_about(home: PreparedText, text: str) -> None:
    assert decide(recognize_text(home, text), home.context).outcome is Outcome.ASK


@pytest.mark.parametrize(
    "text",
    ["", "?!", "do not turn on the desk lamp", "open a bottle of wine", "the weather is nice today"],
)
def test_what_is_not_in_the_context_is_refused_and_kept_as_typed(home: PreparedText, text: str) -> None:
    transcript = recognize_text(home, text)
    assert transcript.hypotheses == ()
    assert transcript.text == text
    assert decide(transcript, home.context).outcome is Outcome.REFUSE


def test_an_exact_command_is_certain_and_says_which_reply_it_wants(home: PreparedText) -> None:
    (hypothesis,) = recognize_text(home, "Switch off all the lights, in the office!").hypotheses
    assert hypothesis.score == hypothesis.rerank == 0.0
    assert hypothesis.response == "lights_area"
    assert hypothesis.terminal


def test_any_engines_context_can_be_typed_into(home: PreparedText) -> None:
    class Elsewhere:
        context = home.context

    transcript = recognize_text(Elsewhere(), "what time is it")
    assert [h.intent for h in transcript.hypotheses] == ["HassGetCurrentTime"]


def test_the_engine_keeps_the_protocol_and_hears_nothing(home: PreparedText) -> None:
    assert check_recognizer(TextRecognizer(), home.context, silence(1.0)).hypotheses == ()


def test_the_engine_is_found_by_its_entry_point() -> None:
    (found,) = (point for point in entry_points(group="assistant.recognizers") if point.name == "text")
    engine = found.load()()
    assert isinstance(engine, Recognizer)
    assert engine.name == "text"
