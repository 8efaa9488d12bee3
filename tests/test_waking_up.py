"""The assistant behind wake words: which context a word wakes, and when its answer needs no word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import soundfile

from assistant.act.skill import Services
from assistant.act.skills import open_skills
from assistant.audio.frontend import Mean
from assistant.earcons import Earcon
from assistant.grammar.load import load_context
from assistant.listen.segment import Began, Segmenter
from assistant.listen.vad import open_vad
from assistant.listen.wake import Detection, WakeWord, open_wake_words
from assistant.listen.wake_segment import Hailed, WakeSegmenter, Woke
from assistant.pipeline import Conversation, Notable, Understander
from assistant.recognize.moonshine.engine import Moonshine
from assistant.testing import HeldClock
from assistant.types import SAMPLE_RATE_HZ, AudioFrame, Decision, Outcome
from assistant.work import InlineWorker
from tests.blocks import Blocks, Pcm, frames, silence, voiced

Spoken = Callable[[str], Pcm]


@dataclass
class Foretold:
    """A detector that is told which words end when, in seconds from the beginning of the stream."""

    told: Mapping[float, str]
    begins_at: float
    thresholds: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.told.values()))

    def feed(self, frame: AudioFrame) -> Detection | None:
        end = frame.at + len(frame.pcm) / SAMPLE_RATE_HZ - self.begins_at
        start = frame.at - self.begins_at
        for at_s, word in self.told.items():
            if start <= at_s + 0.1 < end:
                return Detection(word, 0.97, self.begins_at + at_s)
        return None

    def reset(self) -> None:
        """Nothing is remembered."""


@dataclass
class Heard:
    """What came of a stream."""

    decisions: list[Decision]
    noticed: list[Notable]


@pytest.fixture
def listen(moonshine: Moonshine, clock: HeldClock, tmp_path: Path) -> Iterator[Callable[..., Heard]]:
    """`listen(detector, *sounds)` behind wake words: "computer" is for the home, "waiter" for the barista."""
    skills = open_skills(Services(clock, tmp_path))

    def run(detector: WakeWord, *parts: Pcm) -> Heard:
        noticed: list[Notable] = []

        def notice(event: Notable) -> float:
            noticed.append(event)
            return Earcon.WAKE.duration_s if isinstance(event, Hailed) else 0.0

        home, barista = (moonshine.prepare(load_context(name)) for name in ("home", "barista"))
        understander = Understander(moonshine, home, skills, clock)
        understander.bind("home", home)
        understander.bind("barista", barista)
        ears = WakeSegmenter(
            Segmenter(open_vad("silero")), [detector], contexts={"computer": "home", "waiter": "barista"}
        )
        source = Blocks(frames(*parts), clock)
        conversation = Conversation(source, Mean(1), ears, understander, InlineWorker(), notice=notice)
        return Heard([*conversation.decisions()], noticed)

    yield run
    skills.close()


Listen = Callable[..., Heard]


def test_without_the_word_nothing_is_heard(listen: Listen, spoken: Spoken, clock: HeldClock) -> None:
    heard = listen(Foretold({}, clock.monotonic()), spoken("Turn on the kitchen lights."))
    assert heard.decisions == []
    assert heard.noticed == []


def test_each_word_wakes_its_own_context(listen: Listen, spoken: Spoken, clock: HeldClock) -> None:
    lights, latte = spoken("Turn on the kitchen lights."), spoken("Can I have a large latte with soy milk?")
    told = {0.45: "computer", (len(lights) / SAMPLE_RATE_HZ) + 0.45: "waiter"}
    heard = listen(Foretold(told, clock.monotonic()), lights, latte)
    assert [decision.understanding.intent for decision in heard.decisions] == ["HassTurnOn", "orderDrink"]
    assert [decision.context.name for decision in heard.decisions] == ["home", "barista"]
    assert [event.word for event in heard.noticed if isinstance(event, Woke)] == ["computer", "waiter"]
    assert any(isinstance(event, Began) for event in heard.noticed)


def test_who_waits_after_the_word_is_hailed_and_heard(listen: Listen, spoken: Spoken, clock: HeldClock) -> None:
    lights = voiced(spoken("Turn on the kitchen lights."))
    heard = listen(Foretold({0.3: "computer"}, clock.monotonic()), silence(2.0), lights, silence(1.5))
    assert sum(isinstance(event, Hailed) for event in heard.noticed) == 1
    assert [decision.reply.text for decision in heard.decisions] == ["The kitchen lights are on."]


@pytest.mark.parametrize("pause_s", [0.2, 0.4, 0.5])
def test_who_hesitates_after_the_word_is_not_talked_over(
    pause_s: float, listen: Listen, spoken: Spoken, clock: HeldClock
) -> None:
    lights = voiced(spoken("Turn on the kitchen lights."))
    heard = listen(Foretold({0.3: "computer"}, clock.monotonic()), silence(0.3 + pause_s), lights, silence(1.5))
    assert not any(isinstance(event, Hailed) for event in heard.noticed)
    assert [decision.reply.text for decision in heard.decisions] == ["The kitchen lights are on."]


def test_a_question_is_answered_without_the_word_for_eight_seconds(
    listen: Listen, spoken: Spoken, clock: HeldClock
) -> None:
    lamp, answer = (voiced(spoken(text)) for text in ("Turn on the lamp.", "The reading lamp."))
    sound = (silence(0.6), lamp, silence(6.0), answer, silence(1.5))
    heard = listen(Foretold({0.3: "computer"}, clock.monotonic()), *sound)
    assert [decision.reply.expects_answer for decision in heard.decisions] == [True, False]
    assert heard.decisions[1].reply.text == "The reading lamp is on."


def test_after_that_the_answer_is_not_heard(listen: Listen, spoken: Spoken, clock: HeldClock) -> None:
    lamp, answer = (voiced(spoken(text)) for text in ("Turn on the lamp.", "The reading lamp."))
    sound = (silence(0.6), lamp, silence(11.0), answer, silence(1.5))
    heard = listen(Foretold({0.3: "computer"}, clock.monotonic()), *sound)
    assert len(heard.decisions) == 1


@pytest.mark.real
def test_a_real_word_and_a_command_in_one_breath(
    listen: Listen, spoken: Spoken, recordings: Callable[[str], Path]
) -> None:
    word: Pcm = soundfile.read(recordings("wakeword/alexa") / "197.flac", dtype="int16")[0]
    sound = (silence(1.5), word, silence(0.1), voiced(spoken("Turn on the kitchen lights.")), silence(1.5))
    (detector,) = open_wake_words(["alexa"])
    (decision,) = listen(detector, *sound).decisions
    assert decision.understanding.outcome is Outcome.ACCEPT
    assert decision.understanding.text.lower() == "turn on the kitchen lights."
