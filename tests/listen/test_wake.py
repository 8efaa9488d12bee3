from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.errors import ConfigError, ModelError, PluginError
from assistant.listen.wake import (
    SETTLE_S,
    TAIL_S,
    Detection,
    Known,
    WakeEngine,
    WakeWord,
    known_words,
    open_wake_words,
    spelled,
)
from assistant.listen.wake_judge import Score, Thresholds
from assistant.listen.wake_micro import MicroEngine
from assistant.listen.wake_open import OpenEngine
from assistant.listen.wake_spot import Spotter
from assistant.types import SAMPLE_RATE_HZ, AudioFrame
from tests.listen.streams import Pcm, frames_of, silence

ENGINES: tuple[WakeEngine, ...] = (MicroEngine(), OpenEngine())


@pytest.fixture(scope="module")
def alexa(recordings: Callable[[str], Path]) -> list[Pcm]:
    """Five people who say "alexa", with silence around it."""
    files = sorted(recordings("wakeword/alexa").glob("*.flac"))[::24][:5]
    return [
        np.concatenate([silence(SETTLE_S), soundfile.read(file, dtype="int16")[0], silence(TAIL_S)]) for file in files
    ]


def detections(detector: WakeWord, pcm: Pcm, samples: int = 320, at: float = 0.0) -> list[Detection]:
    detector.reset()
    return [found for frame in frames_of(pcm, at, samples) if (found := detector.feed(frame)) is not None]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_people_who_say_the_word_are_heard_once(engine: WakeEngine, alexa: list[Pcm]) -> None:
    [detector] = open_wake_words(["alexa"], engines=[engine])
    found = [detections(detector, pcm) for pcm in alexa]
    assert [len(one) for one in found] == [1] * len(alexa)
    for [one], pcm in zip(found, alexa, strict=True):
        assert one.word == "alexa"
        assert 0.2 <= one.score <= 1
        assert SETTLE_S < one.at_s < len(pcm) / SAMPLE_RATE_HZ - TAIL_S + 0.1


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_orders_and_kitchens_wake_nobody(engine: WakeEngine, orders: list[Pcm], kitchen: Pcm) -> None:
    [detector] = open_wake_words(["alexa", "hey jarvis"], engines=[engine])
    for pcm in [*orders[:3], kitchen[: 10 * SAMPLE_RATE_HZ]]:
        assert detections(detector, pcm) == []
    assert set(detector.scores) == {"alexa", "hey_jarvis"}


@pytest.mark.parametrize("samples", [1, 100, 333, 512, 5000])
def test_frames_of_any_length_give_the_same_answer(samples: int, alexa: list[Pcm]) -> None:
    [detector] = open_wake_words(["alexa"], engines=[MicroEngine(alone=True)])
    [found], [expected] = detections(detector, alexa[0], samples), detections(detector, alexa[0])
    assert found.score == expected.score
    assert found.at_s == pytest.approx(expected.at_s)


def test_the_time_is_the_stream_s(alexa: list[Pcm]) -> None:
    [detector] = open_wake_words(["alexa"], engines=[MicroEngine()])
    [early], [late] = detections(detector, alexa[1]), detections(detector, alexa[1], at=1000.0)
    assert late.at_s - early.at_s == pytest.approx(1000.0)


def test_several_words_are_heard_side_by_side_as_alone(alexa: list[Pcm]) -> None:
    [both] = open_wake_words(["okay nabu", "alexa"], engines=[MicroEngine()])
    [one] = open_wake_words(["alexa"], engines=[MicroEngine()])
    for pcm in alexa[:3]:
        assert detections(both, pcm) == detections(one, pcm)


def test_lost_sound_is_silence_and_after_long_loss_the_stream_is_new(alexa: list[Pcm]) -> None:
    [detector] = open_wake_words(["alexa"], engines=[MicroEngine(alone=True)])
    pcm = alexa[0][round(SETTLE_S * SAMPLE_RATE_HZ) :]
    for gap in (SAMPLE_RATE_HZ // 2, 10 * SAMPLE_RATE_HZ):
        detector.reset()
        detector.feed(AudioFrame(silence(1.0), 0.0))
        first, *rest = frames_of(pcm, 20.0)
        found = [detector.feed(frame) for frame in (AudioFrame(first.pcm, first.at, gap), *rest)]
        assert len([one for one in found if one is not None]) == 1


def test_a_threshold_of_one_s_own_is_kept() -> None:
    [detector] = open_wake_words(["Alexa"], {"alexa": 0.6}, engines=[MicroEngine()])
    assert detector.thresholds == {"alexa": 0.6}
    with pytest.raises(ConfigError, match="out of range"):
        open_wake_words(["alexa"], {"alexa": 1.5}, engines=[MicroEngine()])


class _Weather:
    """A second opinion that is always the same."""

    words = ("alexa",)
    reach_s = 2.0

    def __init__(self, says: float) -> None:
        self.says = says
        self.heard: list[Pcm] = []

    @property
    def asked(self) -> list[int]:
        return [len(pcm) for pcm in self.heard]

    def opinion(self, word: str, pcm: Pcm) -> float:
        assert word == "alexa"
        self.heard.append(pcm)
        return self.says


def test_a_doubtful_word_is_heard_again_by_another_detector(alexa: list[Pcm]) -> None:
    """With `sure` out of reach every word is doubtful."""
    for says, woken in ((0.9, 5), (0.05, 0)):
        second = _Weather(says)
        [detector] = open_wake_words(["alexa"], {"alexa": 1.0}, engines=[MicroEngine(second)])
        assert sum(len(detections(detector, pcm)) for pcm in alexa) >= woken - 1
        assert len(second.asked) >= 4
        assert all(length <= 2.1 * SAMPLE_RATE_HZ for length in second.asked)


class _Doubtful:
    """A scorer that is in doubt about one moment of its stream, by its own count of samples."""

    words = ("alexa",)

    def __init__(self) -> None:
        self._samples = 0

    def score(self, frame: AudioFrame) -> list[Score]:
        self._samples += len(frame.pcm)
        at = self._samples / SAMPLE_RATE_HZ
        return [Score("alexa", 0.5 if 2.0 <= at <= 2.2 else 0.0, at, at)]

    def reset(self) -> None:
        self._samples = 0


def test_the_other_detector_hears_the_same_however_long_the_frames_are() -> None:
    pcm = np.random.default_rng(1).integers(-500, 500, 4 * SAMPLE_RATE_HZ).astype(np.int16)
    heard = []
    for samples in (320, 1600):
        second = _Weather(0.05)
        detector = Spotter(_Doubtful(), {"alexa": Thresholds(0.9, 0.3, 0.5)}, second)
        detections(detector, pcm, samples)
        heard += second.heard
    one, other = heard
    np.testing.assert_array_equal(one, other)


def test_words_are_spelled_as_people_write_them() -> None:
    assert spelled("Hey Jarvis") == spelled("hey-jarvis") == "hey_jarvis"
    assert spelled("models/My Word.json") == "models/My Word.json"


def test_all_bundled_words_are_known_and_open() -> None:
    known = known_words(ENGINES)
    assert {
        Known("alexa", "microwakeword"),
        Known("hey_jarvis", "microwakeword"),
        Known("hey_rhasspy", "openwakeword"),
    } <= set(known)
    opened = open_wake_words([f"{one.engine}:{one.word}" for one in known], engines=ENGINES)
    assert sorted(word for one in opened for word in one.words) == sorted(one.word for one in known)


def test_the_cheaper_engine_hears_a_word_that_both_know() -> None:
    opened = open_wake_words(["alexa", "hey_rhasspy"], engines=ENGINES)
    assert [one.words for one in opened] == [("alexa",), ("hey_rhasspy",)]


def test_an_unknown_word_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'hey_jarvis'"):
        open_wake_words(["hey jarvi"], engines=ENGINES)
    with pytest.raises(ConfigError, match="known: "):
        open_wake_words(["microwakeword:hal"], engines=ENGINES)


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "word.json").write_text('{"micro": {}}')
    with pytest.raises(ModelError, match="no manifest"):
        open_wake_words([str(tmp_path / "word.json")], engines=ENGINES)
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "absent.json"))):
        open_wake_words([str(tmp_path / "absent.json")], engines=ENGINES)


class _Absent:
    name = "absent"

    def known(self) -> tuple[str, ...]:
        raise PluginError("package absent is not installed", where="wake words", remedy="install it")

    def open(self, words: Sequence[str], thresholds: Mapping[str, float]) -> WakeWord:
        raise NotImplementedError


def test_an_engine_that_is_not_installed_leaves_the_others() -> None:
    assert known_words([_Absent(), OpenEngine()]) == known_words([OpenEngine()])
    with pytest.raises(PluginError, match="absent is not installed"):
        known_words([_Absent()])
