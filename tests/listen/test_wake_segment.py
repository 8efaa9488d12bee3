from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.earcons import RATE_HZ, Earcon, sound
from assistant.listen.segment import Abandoned, Began, Ended, Segmenter
from assistant.listen.vad import Silero
from assistant.listen.wake import Detection, open_wake_words
from assistant.listen.wake_micro import MicroEngine
from assistant.listen.wake_segment import Hailed, Slept, WakeEvent, WakeSegmenter, Woke, quietest
from assistant.listen.waking import State
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame
from tests.listen.streams import Pcm, Told, frames_of, silence


@dataclass
class Foretold:
    """A detector that is told when it hears the word and where the word ended: by time of its last sample, seconds."""

    told: Mapping[float, float]
    words: tuple[str, ...] = ("computer",)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    resets: int = 0

    def feed(self, frame: AudioFrame) -> Detection | None:
        now = frame.at + len(frame.pcm) / SAMPLE_RATE_HZ
        for heard_s, end_s in self.told.items():
            if frame.at < heard_s <= now + 1e-9:
                return Detection(self.words[0], 0.97, end_s)
        return None

    def reset(self) -> None:
        self.resets += 1


def kinds(events: Sequence[WakeEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def ears(told: Mapping[float, float], voiced: Sequence[tuple[float, float]] = ()) -> WakeSegmenter:
    """Ears on a stream whose detectors' answers are known. voiced: counted from where the segmenter begins to hear."""
    probabilities = np.zeros(3000)
    for begin_s, end_s in voiced:
        probabilities[round(begin_s / 0.02) : round(end_s / 0.02)] = 1.0
    return WakeSegmenter(Segmenter(Told(list(probabilities))), [Foretold(told)], contexts={"Computer": "home"})


def noise(seconds: float) -> Pcm:
    return np.random.default_rng(0).integers(-500, 500, round(seconds * SAMPLE_RATE_HZ)).astype(np.int16)


def heard(segmenter: WakeSegmenter, pcm: Pcm, at: float = 0.0, samples: int = FRAME_SAMPLES) -> list[WakeEvent]:
    return [event for frame in frames_of(pcm, at, samples) for event in segmenter.feed(frame)]


def test_nothing_is_cut_while_asleep() -> None:
    assert heard(ears({}, voiced=[(0.0, 2.0)]), noise(4.0)) == []


def test_the_word_wakes_into_its_context_and_the_command_follows() -> None:
    events = heard(ears({1.2: 1.0}, voiced=[(0.0, 1.0)]), noise(4.0))
    assert kinds(events) == ["Woke", "Began", "Paused", "Ended", "Slept"]
    assert events[0] == Woke("computer", "home", 1.0, 0.97)
    assert isinstance(events[3], Ended)
    assert events[3].utterance.at == pytest.approx(1.04, abs=0.09)


def test_no_utterance_reaches_back_into_the_word() -> None:
    pcm = noise(4.0)
    pcm[round(1.02 * SAMPLE_RATE_HZ) : round(1.06 * SAMPLE_RATE_HZ)] //= 50
    [said] = [event.utterance for event in heard(ears({1.3: 1.0}, [(0.1, 1.0)]), pcm) if isinstance(event, Ended)]
    assert said.at == pytest.approx(1.04, abs=0.011)
    first = round(said.at * SAMPLE_RATE_HZ)
    assert np.array_equal(said.pcm, pcm[first : first + len(said.pcm)])


@pytest.mark.parametrize("samples", [37, 160, 320, 1000, 4096])
def test_frames_of_any_length_give_the_same_utterance(samples: int) -> None:
    pcm = noise(4.0)
    events = heard(ears({1.2: 1.0}, voiced=[(0.0, 1.0)]), pcm, samples=samples)
    [said] = [event.utterance for event in events if isinstance(event, Ended)]
    assert said.at == pytest.approx(1.04, abs=0.09)
    assert said.speech_end_s == pytest.approx(1.0, abs=0.03)


def test_a_word_without_a_command_is_hailed_and_forgotten() -> None:
    events = heard(ears({1.2: 1.0}), noise(7.0))
    assert kinds(events) == ["Woke", "Hailed", "Slept"]


def test_the_earcon_is_not_heard() -> None:
    segmenter = ears({1.2: 1.0}, voiced=[(1.0, 2.0)])
    pcm, events = noise(5.0), list[WakeEvent]()
    for frame in frames_of(pcm):
        for event in segmenter.feed(frame):
            events.append(event)
            if isinstance(event, Hailed):
                segmenter.ignore(0.2)
                ignored_from = round((frame.at + 0.02) * SAMPLE_RATE_HZ)
    [said] = [event.utterance for event in events if isinstance(event, Ended)]
    first = ignored_from - round(said.at * SAMPLE_RATE_HZ)
    assert not said.pcm[first : first + 3200].any()
    assert said.pcm[first - 320 : first].any()
    assert said.pcm[first + 3520 : first + 3840].any()


def test_a_second_word_at_once_starts_over() -> None:
    events = heard(ears({1.2: 1.0, 2.0: 1.9}, voiced=[(0.1, 0.9)]), noise(4.0))
    assert kinds(events)[:4] == ["Woke", "Began", "Abandoned", "Woke"]


def test_after_a_question_the_answer_needs_no_word() -> None:
    segmenter = ears({}, voiced=[(6.0, 7.0)])
    heard(segmenter, noise(1.0))
    segmenter.asked()
    events = heard(segmenter, noise(9.0), at=1.0)
    assert kinds(events) == ["Began", "Paused", "Ended", "Slept"]


def test_the_follow_up_window_counts_from_the_end_of_the_reply() -> None:
    segmenter = ears({})
    segmenter.asked()
    heard(segmenter, noise(1.0))
    segmenter.reset()  # five seconds of reply, in which nothing is fed
    assert heard(segmenter, noise(8.2), at=6.0) == []
    assert kinds(heard(segmenter, noise(0.2), at=14.2)) == ["Slept"]


def test_the_button_needs_no_word_and_keeps_what_was_just_said() -> None:
    segmenter = ears({})
    heard(segmenter, noise(2.0))
    assert kinds(segmenter.press()) == ["Began"]
    heard(segmenter, noise(1.0), at=2.0)
    events = segmenter.release()
    assert kinds(events) == ["Ended"]
    assert isinstance(events[0], Ended)
    assert events[0].utterance.at == pytest.approx(1.5, abs=0.03)
    assert segmenter.state is State.LINGERING


def test_a_reset_gives_up_the_utterance_and_starts_the_detectors_afresh() -> None:
    detector = Foretold({1.2: 1.0})
    segmenter = WakeSegmenter(Segmenter(Told([1.0] * 500)), [detector])
    heard(segmenter, noise(2.0))
    assert segmenter.state is State.LISTENING
    assert kinds(segmenter.reset()) == ["Abandoned", "Slept"]
    assert detector.resets == 1


def test_a_stream_that_ends_inside_a_command_gives_the_command() -> None:
    segmenter = ears({1.2: 1.0}, voiced=[(0.0, 5.0)])
    heard(segmenter, noise(2.5))
    assert kinds(segmenter.flush()) == ["Ended", "Slept"]
    assert segmenter.state is State.ASLEEP


def test_the_cut_is_where_it_is_quietest() -> None:
    pcm = noise(2.0)
    pcm[16000:16400] = 0
    assert quietest(frames_of(pcm), 0.95, 1.1) == pytest.approx(1.0125, abs=0.006)
    assert quietest([], 0.9, 1.1) == pytest.approx(1.0)


def _loud(pcm: Pcm) -> Pcm:
    """Only the stretch that is not silence, at one loudness."""
    frames = pcm[: len(pcm) // 160 * 160].reshape(-1, 160).astype(float)
    level_db = 10 * np.log10(np.square(frames).mean(axis=1) + 1)
    spoken = np.flatnonzero(np.convolve(level_db, np.ones(3) / 3, "same") > level_db.max() - 28)
    cut = pcm[spoken[0] * 160 : (spoken[-1] + 1) * 160].astype(float)
    loud: Pcm = (cut / np.sqrt(np.square(cut).mean()) * 1000).astype(np.int16)
    return loud


@pytest.mark.real
@pytest.mark.parametrize("pause_s", [0.0, 0.15, 1.0, 4.0])
def test_a_real_word_and_a_real_order_wake_and_give_the_order(
    pause_s: float, recordings: Callable[[str], Path], orders: list[Pcm], silero: Silero
) -> None:
    word = _loud(soundfile.read(recordings("wakeword/alexa") / "197.flac", dtype="int16")[0])
    hum = np.random.default_rng(0).normal(0, 3, 12 * SAMPLE_RATE_HZ)
    detectors = open_wake_words(["alexa"], engines=[MicroEngine()])
    for order in orders[:2]:
        said = _loud(order)
        pcm = np.concatenate([silence(1.5), word, silence(pause_s), said, silence(1.2)])
        pcm = (pcm + hum[: len(pcm)]).astype(np.int16)
        segmenter = WakeSegmenter(Segmenter(silero), detectors)
        events = [*heard(segmenter, pcm), *segmenter.flush()]
        word_end_s = 1.5 + len(word) / SAMPLE_RATE_HZ
        [woke] = [event for event in events if isinstance(event, Woke)]
        assert woke.at == pytest.approx(word_end_s, abs=0.15)
        utterances = [event.utterance for event in events if isinstance(event, Ended)]
        assert utterances[0].at >= word_end_s - 0.2
        assert utterances[0].at + utterances[0].speech_start_s <= word_end_s + pause_s + 0.3
        assert utterances[-1].at + utterances[-1].speech_end_s == pytest.approx(
            word_end_s + pause_s + len(said) / SAMPLE_RATE_HZ, abs=0.3
        )


@pytest.mark.parametrize("earcon", Earcon)
def test_no_earcon_is_taken_for_a_voice(earcon: Earcon, silero: Silero) -> None:
    tone = sound(earcon)[:: RATE_HZ // SAMPLE_RATE_HZ]
    pcm = np.concatenate([silence(1.0), *[np.concatenate([tone, silence(0.4)])] * 3, silence(1.0)])
    segmenter = Segmenter(silero)
    events = [event for frame in frames_of(pcm) for event in segmenter.feed(frame)]
    assert not [event for event in events if isinstance(event, Began | Abandoned)]


def test_sleep_is_told_when_nothing_more_is_listened_to() -> None:
    assert isinstance(heard(ears({1.2: 1.0}), noise(7.0))[-1], Slept)
