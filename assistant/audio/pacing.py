"""Any source slowed down to real time: a block is given when its last sample would have been spoken."""

from __future__ import annotations

import threading

from assistant.audio.source import Nothing, Source
from assistant.clock import Clock
from assistant.types import SAMPLE_RATE_HZ, AudioBlock


class RealTime(Source):
    """`source` paced by `clock`; the times of its blocks are counted from the first `read`.

    A reader that comes late gets the blocks that are due at once, as a sound card's buffer would give them.
    """

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._closing = threading.Event()
        self._waiting: AudioBlock | None = None
        self._next_at: float | None = None

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def channels(self) -> int:
        return self._source.channels

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        if self._closing.is_set():
            return Nothing.ENDED
        if self._next_at is None:
            self._next_at = self._clock.monotonic()
        if self._waiting is None:
            block = self._source.read(timeout_s)
            if isinstance(block, Nothing):
                return block
            self._waiting = block
        block = self._waiting
        begins_at = self._next_at + block.gap / SAMPLE_RATE_HZ
        due = begins_at + block.pcm.shape[1] / SAMPLE_RATE_HZ
        remaining_s = due - self._clock.monotonic()
        if remaining_s > 0 and self._clock.wait(self._closing, min(remaining_s, timeout_s)):
            return Nothing.ENDED
        if remaining_s > timeout_s:
            return Nothing.NOT_YET
        self._waiting = None
        self._next_at = due
        return AudioBlock(block.pcm, begins_at, block.gap)

    def close(self) -> None:
        self._closing.set()
        self._source.close()
