"""Sound put in by hand: the source for tests, and for programs that bring their own samples."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from assistant.audio.source import MAX_CHANNELS, Nothing, Source
from assistant.clock import Clock, SystemClock
from assistant.errors import InputError
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioBlock, frozen_array


class QueueSource(Source):
    """A bounded queue of blocks: when `capacity` wait, the newest are dropped and the next one carries the gap."""

    def __init__(self, *, capacity: int, channels: int = 1, name: str = "queue", clock: Clock | None = None) -> None:
        """capacity: blocks that may wait. Raises InputError unless channels is 1 to 8."""
        if not 1 <= channels <= MAX_CHANNELS:
            raise InputError(
                f"{channels} channels are impossible", where=name, remedy=f"give a number from 1 to {MAX_CHANNELS}"
            )
        self._name = name
        self._channels = channels
        self._capacity = capacity
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()  # a signal handler may close it while its own thread reads
        self._changed = threading.Event()
        self._blocks: deque[AudioBlock] = deque()
        self._at = self._clock.monotonic()
        self._gap = 0
        self._ended = False
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def channels(self) -> int:
        return self._channels

    def put(self, pcm: NDArray[np.int16]) -> None:
        """Add sound, int16 [samples] or [channels, samples] at 16 kHz, any length; it is cut into 20 ms blocks."""
        sound = np.array(pcm, dtype=np.int16, ndmin=2)
        if sound.shape[0] != self._channels:
            raise InputError(
                f"{sound.shape[0]} channels were put in, {self._channels} promised",
                where=self._name,
                remedy="open it with the channels that will come",
            )
        with self._lock:
            for start in range(0, sound.shape[1], FRAME_SAMPLES):
                self._add(sound[:, start : start + FRAME_SAMPLES])
            self._changed.set()

    def end(self) -> None:
        """Say that nothing more will come; what waits is still read."""
        with self._lock:
            self._ended = True
            self._changed.set()

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        deadline = self._clock.monotonic() + timeout_s
        while True:
            with self._lock:
                if self._closed:
                    return Nothing.ENDED
                if self._blocks:
                    return self._blocks.popleft()
                if self._ended:
                    return Nothing.ENDED
                self._changed.clear()
            remaining_s = deadline - self._clock.monotonic()
            if remaining_s <= 0 or not self._clock.wait(self._changed, remaining_s):
                return Nothing.NOT_YET

    def close(self) -> None:
        self._closed = True
        self.end()

    def _add(self, pcm: NDArray[np.int16]) -> None:
        samples = pcm.shape[1]
        if self._ended or len(self._blocks) >= self._capacity:
            self._gap += samples
        else:
            self._blocks.append(AudioBlock(frozen_array(np.ascontiguousarray(pcm)), self._at, self._gap))
            self._gap = 0
        self._at += samples / SAMPLE_RATE_HZ
