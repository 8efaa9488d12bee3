"""Streams for the listening tests: recordings as frames, and a detector whose answers are told beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assistant.listen.segment import Ended, ListenEvent, Segmenter
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioFrame, Utterance

Pcm = NDArray[np.int16]


@dataclass
class Told:
    """A detector that answers what it was told: hysteresis and endpoints are tested for what they do with answers."""

    probabilities: Sequence[float]
    delay_frames: int = 0
    name: str = "told"
    hears_better_afresh: bool = False
    _heard: int = field(default=0, init=False)

    def probability(self, frame: AudioFrame) -> float:
        assert len(frame.pcm) <= FRAME_SAMPLES
        judged = self._heard - self.delay_frames
        self._heard += 1
        return self.probabilities[judged] if 0 <= judged < len(self.probabilities) else 0.0

    def reset(self) -> None:
        self._heard = 0


def frames_of(pcm: Pcm, at: float = 0.0, samples: int = FRAME_SAMPLES) -> Iterator[AudioFrame]:
    """A recording as frames of one length, the last one shorter."""
    for begin in range(0, len(pcm), samples):
        yield AudioFrame(pcm=pcm[begin : begin + samples], at=at + begin / SAMPLE_RATE_HZ)


def events_of(segmenter: Segmenter, frames: Iterable[AudioFrame]) -> list[ListenEvent]:
    """All that comes of a stream, its end included."""
    events = [event for frame in frames for event in segmenter.feed(frame)]
    return [*events, *segmenter.flush()]


def ended(events: Sequence[ListenEvent]) -> list[Utterance]:
    return [event.utterance for event in events if isinstance(event, Ended)]


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.int16)
