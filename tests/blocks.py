"""A source of sound for tests: blocks as they are read, and a held clock that goes along with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from assistant.audio.source import Nothing, Source
from assistant.testing import HeldClock
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioBlock, frozen_array

Pcm = NDArray[np.int16]


class Blocks(Source):
    """Blocks of sound one after another, made as they are read; the held clock goes along with them."""

    def __init__(self, pcm: Iterable[Pcm], clock: HeldClock) -> None:
        self._pcm, self._clock = iter(pcm), clock

    @property
    def name(self) -> str:
        return "blocks"

    @property
    def channels(self) -> int:
        return 1

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        pcm = next(self._pcm, None)
        if pcm is None:
            return Nothing.ENDED
        at = self._clock.monotonic()
        self._clock.advance(len(pcm) / SAMPLE_RATE_HZ)
        return AudioBlock(frozen_array(pcm[None, :].copy()), at)

    def close(self) -> None:
        self._pcm = iter(())


def frames(*parts: Pcm) -> Iterator[Pcm]:
    """20 ms at a time; the last may be short."""
    sound = np.concatenate(parts)
    return (sound[at : at + FRAME_SAMPLES] for at in range(0, len(sound), FRAME_SAMPLES))


def silence(seconds: float) -> Pcm:
    """So much silence."""
    return np.zeros(int(seconds * SAMPLE_RATE_HZ), np.int16)


def voiced(pcm: Pcm) -> Pcm:
    """The voice alone, without the silence around it."""
    (loud,) = np.nonzero(np.abs(pcm) > 200)
    return pcm[loud[0] : loud[-1]]
