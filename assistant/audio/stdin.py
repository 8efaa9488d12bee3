"""Raw PCM from a pipe as a source: `arecord -t raw -f S16_LE -r 48000 | assistant run --source stdin --rate 48000`."""

from __future__ import annotations

import logging
import os
import select
from collections import deque
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from assistant.audio.resample import BlockCutter, to_float
from assistant.audio.source import MAX_CHANNELS, Nothing, Source
from assistant.clock import Clock, SystemClock
from assistant.errors import InputError
from assistant.types import SAMPLE_RATE_HZ, AudioBlock

CHUNK_BYTES = 65_536
BYTES_PER_SAMPLE = 2
LOOK_EVERY_S = 0.1  # for a `close` by another thread

log = logging.getLogger(__name__)


class RawSource(Source):
    """Interleaved little-endian signed 16-bit samples from an open pipe, file or socket.

    stream: binary, with a file descriptor that `select` takes; it is read below its buffer, so nothing may have been
        read from it before. It stays open: it is the caller's.
    rate_hz, channels: what the stream does not tell.

    Raises InputError for impossible settings, and from `read` when the stream ends without any sound.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        rate_hz: int = SAMPLE_RATE_HZ,
        channels: int = 1,
        name: str = "stdin",
        clock: Clock | None = None,
    ) -> None:
        if not 1 <= channels <= MAX_CHANNELS:
            raise InputError(
                f"{channels} channels are impossible", where=name, remedy=f"give a number from 1 to {MAX_CHANNELS}"
            )
        if rate_hz <= 0:
            raise InputError(f"a rate of {rate_hz} Hz is impossible", where=name, remedy="give the rate of the sound")
        self._name = name
        self._channels = channels
        self._clock = clock or SystemClock()
        self._descriptor = stream.fileno()
        self._cutter = BlockCutter(rate_hz, channels)
        self._odd_bytes = b""
        self._ready: deque[NDArray[np.int16]] = deque()
        self._at: float | None = None
        self._ended = False
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def channels(self) -> int:
        return self._channels

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        deadline = self._clock.monotonic() + timeout_s
        while not self._ready and not self._ended and not self._closed:
            remaining_s = max(0.0, deadline - self._clock.monotonic())
            readable, _, _ = select.select([self._descriptor], [], [], min(remaining_s, LOOK_EVERY_S))
            if readable:
                self._take(os.read(self._descriptor, CHUNK_BYTES))
            elif remaining_s <= LOOK_EVERY_S:
                return Nothing.NOT_YET
        if self._closed or not self._ready:
            return Nothing.ENDED
        pcm = self._ready.popleft()
        if self._at is None:
            self._at = self._clock.monotonic() - pcm.shape[1] / SAMPLE_RATE_HZ
        block = AudioBlock(pcm, self._at)
        self._at += pcm.shape[1] / SAMPLE_RATE_HZ
        return block

    def close(self) -> None:
        self._closed = True

    def _take(self, data: bytes) -> None:
        if not data:
            self._finish()
            return
        data = self._odd_bytes + data
        frame_bytes = BYTES_PER_SAMPLE * self._channels
        whole = len(data) // frame_bytes * frame_bytes
        self._odd_bytes = data[whole:]
        frames = np.frombuffer(data[:whole], dtype="<i2").astype(np.int16).reshape(-1, self._channels)
        self._ready.extend(self._cutter.push(to_float(frames)))

    def _finish(self) -> None:
        self._ended = True
        if self._odd_bytes:
            log.warning("%s: the last bytes (%d) are no whole frame and are left out", self._name, len(self._odd_bytes))
        self._ready.extend(self._cutter.finish())
        if self._at is None and not self._ready:
            raise InputError("no sound arrived", where=self._name, remedy="pipe raw s16le samples into it")
