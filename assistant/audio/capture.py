"""One opened microphone stream: frames at its native rate in, by the callback; 20 ms blocks at 16 kHz out.

callback ─► ring ─► blocks(): resample, cut, stamp; a gap in the frames is a gap between two blocks, never inside one
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.portaudio import Stream
from assistant.audio.resample import BlockCutter, to_float
from assistant.audio.ring import Ring
from assistant.audio.sampleclock import SampleClock
from assistant.clock import Clock
from assistant.types import FRAME_MS, SAMPLE_RATE_HZ, AudioBlock

RING_S = 2.0


class Capture:
    """What a stream's callback writes, and what it takes to turn that into blocks. One per opening.

    heard_at: monotonic time of the last callback, None before the first.
    stream: the open stream that calls back; its owner sets it.
    wake_from: native samples that must wait before the reader is woken; its owner sets it.
    """

    def __init__(self, channels: int, rate_hz: int, clock: Clock, wake: threading.Event) -> None:
        self.rate_hz = rate_hz
        self.channels = channels
        self.ring = Ring(round(RING_S * rate_hz), channels)
        self.heard_at: float | None = None
        self.stream: Stream | None = None
        self.wake_from = 1
        self._clock = clock
        self._wake = wake
        self._mark: tuple[float, int] | None = None
        self._times = SampleClock(rate_hz)
        self._cutter = BlockCutter(rate_hz, channels)
        self._cut_from = 0  # native index of the first sample given to this cutter
        self._cut_blocks = 0  # blocks it has returned
        self._got = 0  # native index after the last sample taken from the ring
        self._gap = 0  # native samples lost, for the next block to tell

    def callback(self, frames: NDArray[np.int16], _count: int, _time: Any, _status: Any) -> None:
        """PortAudio's thread. Must not raise: a callback that did is never called again."""
        self.ring.write(frames)
        self.heard_at = self._clock.monotonic()
        self._mark = (self.heard_at, self.ring.offered)  # one assignment, so that the reader sees a matching pair
        if self.ring.fill >= self.wake_from:
            self._wake.set()

    def blocks(self) -> list[AudioBlock]:
        """All blocks that are complete by now, with their times and gaps."""
        done: list[AudioBlock] = []
        unseen = 0 if self._mark is None else self._times.observe(*self._mark)
        while (chunk := self.ring.read(self.rate_hz)) is not None:
            if chunk.gap or unseen:
                self._start_over(chunk.first, chunk.gap + unseen)
                unseen = 0
            self._got = chunk.first + len(chunk.frames)
            for pcm in self._cutter.push(to_float(chunk.frames)):
                at = self._times.time_of(self._next_block)
                done.append(AudioBlock(pcm, at, round(self._gap * SAMPLE_RATE_HZ / self.rate_hz)))
                self._cut_blocks += 1
                self._gap = 0
        self._gap += unseen
        return done

    @property
    def _next_block(self) -> int:
        """Native index of the first sample of the next block."""
        return self._cut_from + round(self._cut_blocks * FRAME_MS / 1000 * self.rate_hz)

    def _start_over(self, first: int, lost: int) -> None:
        """Cut anew at a gap, so that no block holds sound from both its sides; what was no whole block is lost too."""
        self._gap += lost + max(0, self._got - self._next_block)
        self._cutter = BlockCutter(self.rate_hz, self.channels)
        self._cut_from = first
        self._cut_blocks = 0
