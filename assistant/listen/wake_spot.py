"""Joins an engine's scores, the judgement of each word and the second opinion to a `WakeWord`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.listen.wake import Detection
from assistant.listen.wake_judge import Judgement, Score, Thresholds, Verdict, agreed, judge
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame

LONGEST_GAP_S = 1.0
"""Lost sound up to this long becomes silence of the same length; after more, the stream begins afresh."""


class Scorer(Protocol):
    """An engine's model: sound in, scores of one or several words out."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it scores."""
        ...

    def score(self, frame: AudioFrame) -> Sequence[Score]:
        """Take the next sound, of any length; return all scores that became known, in order."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


class SecondOpinion(Protocol):
    """Another model that hears the same sound again when the first one is in doubt."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it has an opinion about."""
        ...

    @property
    def reach_s(self) -> float:
        """How much sound it wants, seconds."""
        ...

    def opinion(self, word: str, pcm: NDArray[np.int16]) -> float:
        """How probable it is that `word` was said near the end of `pcm`, 0..1. pcm: int16, shape [samples], 16 kHz."""
        ...


class Spotter:
    """A `WakeWord` of a scorer.

    thresholds: by word of the scorer. second: asked in doubt; None: a word needs a score of `sure`.
    Memory is bounded by what the second opinion wants to hear.
    """

    def __init__(
        self, scorer: Scorer, thresholds: Mapping[str, Thresholds], second: SecondOpinion | None = None
    ) -> None:
        self._scorer = scorer
        self._second = second
        checked = second.words if second is not None else ()
        self._thresholds = {
            word: limits if word in checked else replace(limits, maybe=limits.sure)
            for word, limits in thresholds.items()
        }
        self._keep = round(second.reach_s * SAMPLE_RATE_HZ) if second is not None else 0
        self._start()

    @property
    def words(self) -> tuple[str, ...]:
        return self._scorer.words

    @property
    def thresholds(self) -> Mapping[str, float]:
        return {word: limits.sure for word, limits in self._thresholds.items()}

    @property
    def scores(self) -> Mapping[str, float]:
        return self._best

    def reset(self) -> None:
        self._scorer.reset()
        self._start()

    def feed(self, frame: AudioFrame) -> Detection | None:
        if frame.gap > LONGEST_GAP_S * SAMPLE_RATE_HZ:
            self.reset()
        elif frame.gap:
            lost = np.zeros(frame.gap, dtype=np.int16)
            self._hear(AudioFrame(lost, frame.at - frame.gap / SAMPLE_RATE_HZ))
        if len(frame.pcm) <= FRAME_SAMPLES:
            return self._hear(frame)
        # A long one in the steps of short ones: what the second opinion hears must not depend on it.
        found = [self._hear(piece) for piece in _pieces(frame)]
        return max(filter(None, found), key=lambda detection: detection.score, default=None)

    def _start(self) -> None:
        self._judgements = dict.fromkeys(self._scorer.words, Judgement())
        self._best = dict.fromkeys(self._scorer.words, 0.0)
        self._sound: deque[NDArray[np.int16]] = deque()
        self._kept = 0

    def _hear(self, frame: AudioFrame) -> Detection | None:
        self._remember(frame.pcm)
        found = [self._judge(score) for score in self._scorer.score(frame)]
        return max(filter(None, found), key=lambda detection: detection.score, default=None)

    def _remember(self, pcm: NDArray[np.int16]) -> None:
        if not self._keep:
            return
        self._sound.append(pcm)
        self._kept += len(pcm)
        while self._kept - len(self._sound[0]) >= self._keep:
            self._kept -= len(self._sound.popleft())

    def _judge(self, score: Score) -> Detection | None:
        word = score.word
        judgement, verdict = judge(self._judgements[word], score, self._thresholds[word])
        self._judgements[word] = judgement
        if verdict is Verdict.DOUBTFUL:
            return self._doubtful(word, judgement)
        if judgement.peak is None:  # no candidate: its score counts as it is
            self._best[word] = max(self._best[word], score.value)
        if verdict is Verdict.NOTHING:
            return None
        self._best[word] = max(self._best[word], score.value)
        return Detection(word, score.value, score.end_s)

    def _doubtful(self, word: str, judgement: Judgement) -> Detection | None:
        """Both detectors together: their mean decides, and is the score."""
        assert self._second is not None
        assert judgement.peak is not None
        together = (judgement.peak.value + self._second.opinion(word, np.concatenate(self._sound))) / 2
        self._best[word] = max(self._best[word], together)
        if together < self._thresholds[word].together:
            return None
        self._judgements[word] = agreed(replace(judgement, since=judgement.peak.at))
        return Detection(word, together, judgement.peak.end_s)


def _pieces(frame: AudioFrame) -> Iterator[AudioFrame]:
    """Frames of 20 ms, the last one what is left."""
    for begin in range(0, len(frame.pcm), FRAME_SAMPLES):
        yield AudioFrame(frame.pcm[begin : begin + FRAME_SAMPLES], frame.at + begin / SAMPLE_RATE_HZ)
