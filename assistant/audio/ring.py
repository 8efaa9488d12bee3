"""A preallocated ring between the sound card's callback (the one writer) and the audio thread (the one reader).

Neither side waits or allocates more than the chunk it hands over. When it is full the newest frames are dropped and
counted, and the next chunk carries the gap, so that whoever follows knows where sound is missing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive frames out of the ring.

    frames: shape [frames, channels], a copy that the reader owns.
    first: index of frames[0] among all frames ever offered to the ring, lost ones included.
    gap: frames lost just before frames[0].
    """

    frames: NDArray[np.int16]
    first: int
    gap: int


@dataclass(frozen=True, slots=True)
class RingStatistics:
    """How the ring fared: frames waiting, the most that ever waited, frames dropped, room in all."""

    fill: int
    peak: int
    dropped: int
    capacity: int


class Ring:
    """Frames of int16 samples, first in, first out.

    Safe for one writing and one reading thread without a lock: each counter has one writer, samples are copied before
    the counter that publishes them moves, and a gap is noted before the frames that follow it are published.
    """

    def __init__(self, capacity: int, channels: int) -> None:
        """capacity: frames it holds (all usable); channels: samples a frame."""
        if capacity < 1 or channels < 1:
            raise ValueError("a ring needs room for at least one frame of one channel")
        self._store = np.zeros((capacity, channels), dtype=np.int16)
        self._capacity = capacity
        self._written = 0
        self._read = 0
        self._peak = 0
        self._dropped = 0
        self._pending_gap = 0
        self._gaps: deque[tuple[int, int]] = deque()
        self._lost_before_read = 0

    def write(self, frames: NDArray[np.int16]) -> int:
        """Copy in what fits of `frames` [frames, channels], drop the rest, which is the newest; return the drops."""
        offered = len(frames)
        taken = min(offered, self._capacity - (self._written - self._read))
        if taken:
            if self._pending_gap:
                self._gaps.append((self._written, self._pending_gap))
                self._pending_gap = 0
            start = self._written % self._capacity
            before_wrap = min(taken, self._capacity - start)
            self._store[start : start + before_wrap] = frames[:before_wrap]
            self._store[: taken - before_wrap] = frames[before_wrap:taken]
            self._written += taken
            self._peak = max(self._peak, self._written - self._read)
        dropped = offered - taken
        self._pending_gap += dropped
        self._dropped += dropped
        return dropped

    def read(self, limit: int) -> Chunk | None:
        """Take up to `limit` frames that follow one another without a gap; None when the ring is empty."""
        written = self._written  # once: frames and gaps published later wait for the next call
        if written == self._read or limit < 1:
            return None
        gap = 0
        if self._gaps and self._gaps[0][0] == self._read:
            gap = self._gaps.popleft()[1]
            self._lost_before_read += gap
        end = min(written, self._read + limit)
        if self._gaps:
            end = min(end, self._gaps[0][0])
        count = end - self._read
        start = self._read % self._capacity
        before_wrap = min(count, self._capacity - start)
        frames = np.concatenate((self._store[start : start + before_wrap], self._store[: count - before_wrap]))
        first = self._read + self._lost_before_read
        self._read = end
        return Chunk(frames, first, gap)

    @property
    def fill(self) -> int:
        """Frames that wait."""
        return self._written - self._read

    @property
    def offered(self) -> int:
        """Frames ever offered by the writer, dropped ones included."""
        return self._written + self._dropped

    def statistics(self) -> RingStatistics:
        """A snapshot, from any thread."""
        return RingStatistics(self.fill, self._peak, self._dropped, self._capacity)
