"""The conformance check of recognisers passes one that keeps the protocol and names each way to break it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from assistant.grammar.tree import Context, Settings, Template, Text
from assistant.recognize.engine import Prepared
from assistant.testing import NonConformance, check_recognizer
from assistant.types import (
    EMPTY,
    FRAME_SAMPLES,
    AudioFrame,
    Hypothesis,
    Transcript,
    Utterance,
    frozen_array,
)

# Root mean square above which the plug-in below hears something.
LOUD = 1000.0


@dataclass
class LoudnessSession:
    """A stranger's engine: loud is "lamp on", quiet is nothing."""

    engine: LoudnessRecognizer
    cancelled: bool = False

    def feed(self, frame: AudioFrame) -> str:
        return "…"

    def finish(self, utterance: Utterance) -> Transcript:
        loud = len(utterance.pcm) > 0 and np.sqrt(np.mean(np.square(utterance.pcm.astype(float)))) > LOUD
        return Transcript((hypothesis(-1.0),) if loud else (), "lamp on" if loud else "", "loudness", "one")

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class LoudnessPrepared:
    context: Context


@dataclass
class LoudnessRecognizer:
    name: str = "loudness"
    variant: str = "one"
    session: type[LoudnessSession] = LoudnessSession
    heard: list[str] = field(default_factory=list)

    def prepare(self, context: Context) -> LoudnessPrepared:
        return LoudnessPrepared(context)

    def open(self, prepared: Prepared) -> LoudnessSession:
        return self.session(self)


def hypothesis(score: float, intent: str = "LampOn", kind: type[np.generic] = np.int32) -> Hypothesis:
    tokens = frozen_array(np.array([1, 2], kind))
    scores = frozen_array(np.array([score, score], np.float32))
    return Hypothesis(intent, EMPTY, "lamp on", score, score, tokens, scores, scores)


@pytest.fixture
def context() -> Context:
    template = Template("LampOn", Text("lamp on"), "lamp on")
    return Context("test", ".", (template,), EMPTY, EMPTY, EMPTY, EMPTY, Settings(), "0" * 64)


@pytest.fixture
def utterance() -> Utterance:
    """A second of a loud tone, in whole frames."""
    samples = 50 * FRAME_SAMPLES
    pcm = (8000 * np.sin(np.arange(samples) / 8)).astype(np.int16)
    return Utterance(frozen_array(pcm), 0.0, 0.0, 1.0, frozen_array(np.ones(50, np.float32)))


def test_an_engine_that_keeps_the_protocol_passes_and_its_answer_is_returned(
    context: Context, utterance: Utterance
) -> None:
    transcript = check_recognizer(LoudnessRecognizer(), context, utterance)
    assert transcript.hypotheses[0].intent == "LampOn"


def answering(*hypotheses: Hypothesis, engine: str = "loudness") -> type[LoudnessSession]:
    """A session that hears the same in everything."""

    class Answering(LoudnessSession):
        def finish(self, utterance: Utterance) -> Transcript:
            return Transcript(hypotheses, "lamp on", engine, "one")

    return Answering


class Deaf(LoudnessSession):
    def feed(self, frame: AudioFrame) -> str:
        return None  # type: ignore[return-value]


class Speechless(LoudnessSession):
    def finish(self, utterance: Utterance) -> Transcript:
        return "lamp on"  # type: ignore[return-value]


class Forgetful(LoudnessSession):
    def finish(self, utterance: Utterance) -> Transcript:
        self.engine.heard.append("once more")
        return Transcript((), str(len(self.engine.heard)), "loudness", "one")


class Narrow(LoudnessSession):
    def finish(self) -> Transcript:  # type: ignore[override]
        return Transcript((), "", "loudness", "one")


writable = dataclasses.replace(hypothesis(-1.0), tokens=np.array([1, 2], np.int32))
short = dataclasses.replace(hypothesis(-1.0), log_p=frozen_array(np.zeros(1, np.float32)))


@pytest.mark.parametrize(
    ("session", "fault"),
    [
        (Deaf, "`feed` returns NoneType, not a text"),
        (Forgetful, "the same sound gives"),
        (Narrow, r"`finish\(utterance\)` cannot be called so: too many positional arguments"),
        (answering(hypothesis(-2.0), hypothesis(-1.0, "")), "hypotheses are not sorted, best first"),
        (answering(hypothesis(-1.0), hypothesis(-2.0)), "two hypotheses have one meaning"),
        (answering(hypothesis(-1.0, "Coffee")), "intent 'Coffee' is not in the context"),
        (answering(hypothesis(float("nan"))), "a score is not finite"),
        (answering(hypothesis(-1.0, kind=np.int64)), r"`tokens` is int64\[2\], not int32\[n\]"),
        (answering(writable), "`tokens` can be written to"),
        (answering(short), "`tokens`, `log_p` and `ilm` differ in length"),
        (answering(engine="other"), "the transcript's engine is 'other', the recognizer's name 'loudness'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_way_to_break_the_protocol_is_named(
    session: type[LoudnessSession], fault: str, context: Context, utterance: Utterance
) -> None:
    with pytest.raises(NonConformance, match=fault):
        check_recognizer(LoudnessRecognizer(session=session), context, utterance)


def test_a_finish_that_returns_something_else_is_named(context: Context, utterance: Utterance) -> None:
    with pytest.raises(NonConformance, match="a speculative `finish` returns no Transcript"):
        check_recognizer(LoudnessRecognizer(session=Speechless), context, utterance)


def test_an_engine_without_a_name_or_a_method_is_told_both(context: Context, utterance: Utterance) -> None:
    class Nameless:
        name = ""
        variant = "one"
        open: Callable[..., object] = LoudnessRecognizer.open

    with pytest.raises(NonConformance) as caught:
        check_recognizer(Nameless(), context, utterance)  # type: ignore[arg-type]
    assert caught.value.faults == ("it has no method `prepare`", "`name` is '', not a name")


def test_a_context_must_be_prepared_as_itself(context: Context, utterance: Utterance) -> None:
    class Substituting(LoudnessRecognizer):
        def prepare(self, context: Context) -> LoudnessPrepared:
            return LoudnessPrepared(dataclasses.replace(context, name="another"))

    with pytest.raises(NonConformance, match=r"`prepare\(context\).context` is not the context it was given"):
        check_recognizer(Substituting(), context, utterance)
