"""Spoken replies to the loudspeaker or into a WAV file: one stream that stays open, and that falls silent when told to.

play(pcm, rate) ─► resample ─► Renderer's queue ─► callback, 10 ms at a time ─► loudspeaker
stop() ─► 5 ms fade, then nothing                             └─► reference, for echo cancelling
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import soundfile
from numpy.typing import NDArray

from assistant.audio.devices import Direction
from assistant.audio.portaudio import PORTAUDIO, Stream
from assistant.audio.resample import Resampler, to_float, to_int16
from assistant.audio.ring import Ring
from assistant.clock import Clock, SystemClock
from assistant.errors import DeviceError, StorageError

if TYPE_CHECKING:
    from typing_extensions import Self

RATE_HZ = 48_000
BLOCK_S = 0.01
# Measured through PulseAudio: heard 30 to 40 ms after play, silent 30 to 43 ms after stop; the default misses 50 ms.
LATENCY_S = 0.02
FADE_S = 0.005
TAIL_S = 0.05  # what was sent last is heard by then
REFERENCE_S = 1.0
DEAD_AFTER_S = 1.0  # without a callback
START_S = 3.0  # that the first callback may take
LOOK_EVERY_S = 0.25


@runtime_checkable
class Sink(Protocol):
    """Where sound goes out."""

    def play(self, pcm: NDArray[np.int16], rate_hz: int) -> None:
        """Add sound, int16 [samples], after what is still to be played; returns before it is heard."""
        ...

    def stop(self) -> None:
        """Fall silent within 50 ms and forget what was still to be played."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything was played; False if `timeout_s` passed first."""
        ...

    @property
    def playing(self) -> bool:
        """Whether something is still to be played."""
        ...

    def close(self) -> None:
        """Free what it holds. May be called twice."""
        ...


class Renderer:
    """The queue of sound behind a stream: `add` and `stop` in any thread, `render` in the callback's."""

    def __init__(self, rate_hz: int, tail_s: float = 0.0) -> None:
        """tail_s: silence to send after the last sample before it counts as played: what is under way to the ear."""
        self._tail = round(tail_s * rate_hz)
        self._tail_left = 0
        self._fade = np.linspace(1, 0, max(2, round(FADE_S * rate_hz)), dtype=np.float32)
        self._pieces: deque[NDArray[np.int16]] = deque()
        self._lock = threading.Lock()  # held for a few copies only
        self._stopping = False
        self.idle = threading.Event()
        self.idle.set()

    def add(self, pcm: NDArray[np.int16]) -> None:
        """Queue int16 [samples]. What is added after a `stop` is played after its fade."""
        if len(pcm):
            with self._lock:
                if self._stopping:
                    self._fade_out()
                self._pieces.append(pcm)
                self._tail_left = self._tail
                self.idle.clear()

    def stop(self) -> None:
        """Fade over 5 ms from the next sample rendered, then silence."""
        self._stopping = True  # no lock: a signal handler may say so while its own thread adds

    @property
    def queued(self) -> int:
        """Samples still to be rendered."""
        with self._lock:
            return sum(len(piece) for piece in self._pieces)

    def render(self, out: NDArray[np.int16]) -> None:
        """Fill `out` [samples] with what is next; silence where nothing is."""
        with self._lock:
            if self._stopping:
                self._fade_out()
            filled = 0
            while filled < len(out) and self._pieces:
                piece = self._pieces[0]
                count = min(len(piece), len(out) - filled)
                out[filled : filled + count] = piece[:count]
                filled += count
                self._pieces[0] = piece[count:]
                if not len(self._pieces[0]):
                    self._pieces.popleft()
            out[filled:] = 0
            if not self._pieces:
                self._tail_left -= len(out) - filled
                if self._tail_left <= 0:
                    self.idle.set()

    def _fade_out(self) -> None:
        """Replace the queue by its first 5 ms, faded."""
        self._stopping = False
        wanted = len(self._fade)
        first: list[NDArray[np.int16]] = []
        while self._pieces and wanted > 0:
            piece = self._pieces.popleft()[:wanted]
            first.append(piece)
            wanted -= len(piece)
        self._pieces.clear()
        if first:
            tail = np.concatenate(first)
            self._pieces.append(np.rint(tail * self._fade[: len(tail)]).astype(np.int16))


class Loudspeaker:
    """A loudspeaker by name (a part of it will do; None is the default), open as long as the object lives.

    reference: ring of what was really sent, int16 [frames, 1] at `rate_hz`, for echo cancelling. Nobody need read it:
        then it stays full and drops. It is another ring after the loudspeaker was opened again.

    Raises DeviceError when it is absent or in use. If it is lost, the next `play` opens it again, in a fresh list.
    """

    def __init__(self, device: str | None = None, *, clock: Clock | None = None) -> None:
        self._wanted = device
        self._clock = clock or SystemClock()
        self._stream: Stream | None = None
        self._closed = False
        self._heard_at = 0.0
        self._open()

    @property
    def name(self) -> str:
        """The device's stable name."""
        return self._name

    @property
    def rate_hz(self) -> int:
        """Rate of the stream and of the reference."""
        return self._rate_hz

    @property
    def alive(self) -> bool:
        """Whether the loudspeaker still takes sound; what it has not taken by its loss is forgotten."""
        fresh = self._clock.monotonic() - self._heard_at < DEAD_AFTER_S
        return self._stream is not None and self._stream.active and fresh

    @property
    def latency_s(self) -> float:
        """From a sample's being sent to its being heard, as PortAudio reports it; 0 while it is lost."""
        return 0.0 if self._stream is None else float(self._stream.latency)

    @property
    def queued_s(self) -> float:
        """Seconds of sound still to be sent, for those who add sound as it is needed."""
        return self._renderer.queued / self._rate_hz

    def play(self, pcm: NDArray[np.int16], rate_hz: int) -> None:
        """As `Sink.play`. Raises DeviceError when the loudspeaker is gone and does not come back."""
        with PORTAUDIO.lock:
            if self._closed:
                raise DeviceError("it was closed", where=self._name, remedy="open it again")
            if not self.alive:
                self.release()
                PORTAUDIO.refresh()
                self._open()
        self._renderer.add(_resample(pcm, rate_hz, self._rate_hz))

    def stop(self) -> None:
        self._renderer.stop()

    def wait(self, timeout_s: float) -> bool:
        """As `Sink.wait`; True at once when the loudspeaker is lost, for then nothing more will be played."""
        deadline = self._clock.monotonic() + timeout_s
        while self.playing:
            remaining_s = deadline - self._clock.monotonic()
            if remaining_s <= 0:
                return False
            self._clock.wait(self._renderer.idle, min(remaining_s, LOOK_EVERY_S))
        return True

    @property
    def playing(self) -> bool:
        return not self._renderer.idle.is_set() and self.alive

    @property
    def busy(self) -> bool:
        """Whether a reply would be cut off if the stream ended now."""
        return self.playing

    def close(self) -> None:
        self._closed = True
        self.release()

    def release(self) -> None:
        """Close the stream because PortAudio's list is made anew; the next `play` opens it again."""
        with PORTAUDIO.lock:
            stream, self._stream = self._stream, None
            if stream is not None:
                PORTAUDIO.close(stream, self)
        self._renderer.idle.set()  # nobody will play the rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _open(self) -> None:
        with PORTAUDIO.lock:
            device = PORTAUDIO.find(self._wanted, Direction.OUTPUT)
            self._name = device.name
            errors: list[DeviceError] = []
            for rate_hz in dict.fromkeys((RATE_HZ, device.rate_hz)):
                self._rate_hz = rate_hz
                self._renderer = Renderer(rate_hz, TAIL_S)
                self.reference = Ring(round(REFERENCE_S * rate_hz), 1)
                self._mono = np.zeros((round(rate_hz * BLOCK_S), 1), dtype=np.int16)
                try:
                    self._heard_at = self._clock.monotonic() + START_S
                    self._stream = PORTAUDIO.open(
                        Direction.OUTPUT,
                        device,
                        self,
                        channels=min(2, device.outputs),
                        rate_hz=rate_hz,
                        block=len(self._mono),
                        latency=LATENCY_S,
                        callback=self._callback,
                    )
                except DeviceError as error:
                    errors.append(error)
                else:
                    return
            raise errors[-1]

    def _callback(self, out: NDArray[np.int16], count: int, _time: Any, _status: Any) -> None:
        """PortAudio's thread; must not raise."""
        mono = self._mono[:count]
        self._renderer.render(mono[:, 0])
        out[:] = mono
        self.reference.write(mono)
        self._heard_at = self._clock.monotonic()


class WavSink:
    """A WAV file instead of a loudspeaker, for machines without one: what is played is there at once.

    Raises StorageError when the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], rate_hz: int = RATE_HZ) -> None:
        self._path = os.fspath(path)
        self._rate_hz = rate_hz
        try:
            self._file = soundfile.SoundFile(self._path, "w", rate_hz, 1, "PCM_16", format="WAV")
        except soundfile.LibsndfileError as error:
            raise StorageError(
                "the file cannot be written", where=self._path, remedy="choose a folder that exists and may be written"
            ) from error

    def play(self, pcm: NDArray[np.int16], rate_hz: int) -> None:
        self._file.write(_resample(pcm, rate_hz, self._rate_hz))

    def stop(self) -> None:
        """Nothing is ever still to be played."""

    def wait(self, timeout_s: float) -> bool:  # noqa: ARG002 - there is nothing to wait for
        return True

    @property
    def playing(self) -> bool:
        return False

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _resample(pcm: NDArray[np.int16], from_hz: int, to_hz: int) -> NDArray[np.int16]:
    if from_hz == to_hz:
        return np.array(pcm, dtype=np.int16)
    resampler = Resampler(from_hz, to_hz, 1)
    begun = resampler.process(to_float(pcm)[:, np.newaxis])
    return to_int16(np.concatenate((begun, resampler.finish())))[:, 0]
