"""Wake words of openWakeWord, by the package pyopen-wakeword: heavier nets, as engine or as second opinion.

Mel spectrogram, a speech embedding every 80 ms, and a small net per word over the last 16 embeddings. As an engine it
takes 7 % of a core; asked only in doubt it costs nothing while nobody says anything like the word.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ModelError, PluginError
from assistant.listen.wake import WakeWord
from assistant.listen.wake_judge import Score, Thresholds
from assistant.listen.wake_spot import Spotter
from assistant.types import SAMPLE_RATE_HZ, AudioFrame

NAME = "openwakeword"
THRESHOLD = 0.5
"""The project's own."""
CHUNK_SAMPLES = 1280
"""80 ms: one embedding."""
END_LAG_S = 0.1
"""An answer is about a word that ended so long before its last sample."""
REACH_S = 2.4
"""16 embeddings rest on 1.96 s of sound; the rest lets the word lie a little before the end."""
DEAD_S = 1.25
"""The word stays in its sight for two seconds, and the score may fall and rise again."""
LATEST_ANSWERS = 6
"""Of an opinion: what was said longer ago is another word."""

# No word is named by these files: they make the features.
_FEATURE_MODELS = ("melspectrogram", "embedding_model")
_REMEDY = "install the assistant with its extra `openwakeword`, or choose a word that microwakeword knows"


class OpenEngine:
    """The engine."""

    name = NAME

    def known(self) -> tuple[str, ...]:
        names = {path.stem for path in _models_folder().glob("*.tflite")}
        return tuple(sorted(names - set(_FEATURE_MODELS)))

    def open(self, words: Sequence[str], thresholds: Mapping[str, float]) -> WakeWord:
        limits = {word: thresholds.get(word, THRESHOLD) for word in words}
        return Spotter(
            OpenScorer(words), {word: Thresholds(value, value, 0.0, DEAD_S) for word, value in limits.items()}
        )


def create() -> OpenEngine:
    """The entry point `assistant.wakewords: openwakeword`."""
    return OpenEngine()


class OpenScorer:
    """Several words on the embeddings of one stream. Raises PluginError when the package is missing, ModelError."""

    def __init__(self, words: Sequence[str]) -> None:
        package = _package()
        try:
            self._features = package.OpenWakeWordFeatures.from_builtin()
            self._nets = {
                word: package.OpenWakeWord.from_model(_models_folder() / f"{word}.tflite")
                for word in dict.fromkeys(words)
            }
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"a model does not load ({error})", where=NAME, remedy="reinstall pyopen-wakeword"
            ) from error
        self.reset()

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self._nets)

    def reset(self) -> None:
        self._features.reset()
        self._features.new_audio_samples = 0  # otherwise it would hear eight seconds of silence first
        for net in self._nets.values():
            net.reset()
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)

    def score(self, frame: AudioFrame) -> Sequence[Score]:
        at = frame.at - len(self._rest) / SAMPLE_RATE_HZ
        pcm = np.concatenate([self._rest, frame.pcm])
        whole = len(pcm) - len(pcm) % CHUNK_SAMPLES
        scores = []
        for end in range(CHUNK_SAMPLES, whole + 1, CHUNK_SAMPLES):
            end_s = at + end / SAMPLE_RATE_HZ
            chunk = pcm[end - CHUNK_SAMPLES : end]
            scores += [Score(word, value, end_s, end_s - END_LAG_S) for word, value in self.answers(chunk)]
        self._rest = pcm[whole:]
        return scores

    def answers(self, chunk: NDArray[np.int16]) -> Iterator[tuple[str, float]]:
        """Take 80 ms; each word's probability, where there is one."""
        for embeddings in self._features.process_streaming(chunk.tobytes()):
            for word, net in self._nets.items():
                for probability in net.process_streaming(embeddings):
                    yield word, min(float(probability), 1.0)


class OpenOpinion:
    """A `SecondOpinion` of openWakeWord's models; takes about a tenth of a second of one core each time."""

    reach_s = REACH_S

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._scorer: OpenScorer | None = None

    @property
    def words(self) -> tuple[str, ...]:
        return self._words

    def opinion(self, word: str, pcm: NDArray[np.int16]) -> float:
        if self._scorer is None:  # 20 MB that many a day does not need
            self._scorer = OpenScorer(self._words)
        self._scorer.reset()
        reach = round(REACH_S * SAMPLE_RATE_HZ) // CHUNK_SAMPLES * CHUNK_SAMPLES
        if len(pcm) < reach:
            pcm = np.concatenate([np.zeros(reach - len(pcm), np.int16), pcm])
        scores = self._scorer.score(AudioFrame(pcm[-reach:], 0.0))
        values = [score.value for score in scores if score.word == word]
        return max(values[-LATEST_ANSWERS:], default=0.0)


def _models_folder() -> Path:
    """The package's models, found without importing it."""
    spec = importlib.util.find_spec("pyopen_wakeword")
    if spec is None or not spec.submodule_search_locations:
        raise PluginError("package pyopen-wakeword is not installed", where="wake words", remedy=_REMEDY)
    return Path(spec.submodule_search_locations[0], "models")


def _package() -> Any:
    try:
        import pyopen_wakeword
    except (ImportError, OSError) as error:
        raise PluginError(f"pyopen-wakeword does not load ({error})", where="wake words", remedy=_REMEDY) from error
    return pyopen_wakeword
