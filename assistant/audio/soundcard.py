"""A microphone by name, through PortAudio: 20 ms blocks at 16 kHz of all its channels; opened again when it is lost.

    callback (PortAudio's thread) ─► ring at the native rate ─► read() (audio thread): resample, cut, stamp, watch

The callback only copies and counts. Everything that can take time, reopening included, happens in `read`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.audio.devices import Device, Direction
from assistant.audio.portaudio import PORTAUDIO, Stream
from assistant.audio.pulse import MoveWatch
from assistant.audio.reconnect import Action, Event, Failed, Link, Look, Opened, Start, State, Stop, step
from assistant.audio.resample import BlockCutter, to_float
from assistant.audio.ring import Ring, RingStatistics
from assistant.audio.sampleclock import SampleClock
from assistant.audio.source import MAX_CHANNELS, Nothing, Source
from assistant.clock import Clock, SystemClock
from assistant.errors import DeviceError
from assistant.types import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioBlock

RING_S = 2.0
LOOK_EVERY_S = 0.1

log = logging.getLogger(__name__)


class _Recording:
    """One opened stream: what its callback writes and what it takes to turn that into blocks."""

    def __init__(self, device: Device, channels: int, rate_hz: int, clock: Clock, wake: threading.Event) -> None:
        self.device = device
        self.rate_hz = rate_hz
        self.channels = channels
        self.ring = Ring(round(RING_S * rate_hz), channels)
        self.heard_at: float | None = None
        self.stream: Stream | None = None
        self._clock = clock
        self._wake = wake
        self._mark: tuple[float, int] | None = None
        self._times = SampleClock(rate_hz)
        self._cutter = BlockCutter(rate_hz, channels)
        self._cut_from = 0  # native index of the first sample given to this cutter
        self._cut_blocks = 0  # blocks it has returned
        self._got = 0  # native index after the last sample taken from the ring
        self._lost = 0  # native samples found lost by the clock, not yet reported

    def callback(self, frames: NDArray[np.int16], _count: int, _time: Any, _status: Any) -> None:
        """PortAudio's thread. Must not raise: a callback that did is never called again."""
        self.ring.write(frames)
        self.heard_at = self._clock.monotonic()
        self._mark = (self.heard_at, self.ring.offered)  # one assignment, so that the reader sees a matching pair
        self._wake.set()

    def blocks(self) -> list[AudioBlock]:
        """All blocks that are complete by now, with their times and gaps."""
        done: list[AudioBlock] = []
        if self._mark is not None:
            self._lost += self._times.observe(*self._mark)
        while (chunk := self.ring.read(self.rate_hz)) is not None:
            gap = 0
            if chunk.gap or self._lost:
                gap = chunk.gap + self._lost + self._start_over(chunk.first)
                self._lost = 0
            self._got = chunk.first + len(chunk.frames)
            for pcm in self._cutter.push(to_float(chunk.frames)):
                done.append(AudioBlock(pcm, self._time_of_next_block(), round(gap * SAMPLE_RATE_HZ / self.rate_hz)))
                self._cut_blocks += 1
                gap = 0
            self._lost += gap  # no block yet: the next one carries it
        return done

    def _time_of_next_block(self) -> float:
        return self._times.time_of(self._cut_from + round(self._cut_blocks * FRAME_MS / 1000 * self.rate_hz))

    def _start_over(self, first: int) -> int:
        """Cut anew at a gap, so that no block holds sound from both its sides; return the samples this throws away."""
        unfinished = max(0, self._got - self._cut_from - round(self._cut_blocks * FRAME_MS / 1000 * self.rate_hz))
        self._cutter = BlockCutter(self.rate_hz, self.channels)
        self._cut_from = first
        self._cut_blocks = 0
        return unfinished


class SoundCardSource(Source):
    """A microphone.

    device: its name or a part of it, None for the default one.
    channels: 1 to 8, None for all it has. rate_hz: None for its native rate.

    Raises DeviceError when it is absent, in use, or does not do what is asked. Once it runs, a loss is no error: `read`
    says NOT_YET until it is back, and the first block after that carries the gap.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        channels: int | None = None,
        rate_hz: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if channels is not None and not 1 <= channels <= MAX_CHANNELS:
            raise DeviceError(
                f"{channels} channels are impossible",
                where=device or "default microphone",
                remedy=f"ask for 1 to {MAX_CHANNELS}",
            )
        self._wanted = device
        self._wanted_channels = channels
        self._wanted_rate_hz = rate_hz
        self._clock = clock or SystemClock()
        self._wake = threading.Event()
        self._ended = False
        self._ready: deque[AudioBlock] = deque()
        self._next_at: float | None = None
        self._resumed = False
        self._link = Link()
        self._recording: _Recording | None = None
        self._watch: MoveWatch | None = None
        self._opening_error: DeviceError | None = None
        self._name = device or "default"
        self._channels = 0
        self._feed(Start(self._clock.monotonic()))
        if self._opening_error is not None:
            raise self._opening_error

    @property
    def name(self) -> str:
        return self._name

    @property
    def channels(self) -> int:
        return self._channels

    @property
    def state(self) -> State:
        """Where the link to the device stands; WAITING and OPENING mean that it is lost at the moment."""
        return self._link.state

    def statistics(self) -> RingStatistics | None:
        """How the ring of the present stream fares; None while there is none."""
        recording = self._recording
        return None if recording is None else recording.ring.statistics()

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        deadline = self._clock.monotonic() + timeout_s
        while not self._ended:
            self._wake.clear()
            self._collect()
            if self._ready:
                return self._ready.popleft()
            self._look()
            remaining_s = deadline - self._clock.monotonic()
            if remaining_s <= 0:
                return Nothing.NOT_YET
            self._clock.wait(self._wake, min(remaining_s, LOOK_EVERY_S))
        return Nothing.ENDED

    def close(self) -> None:
        self._ended = True
        self._wake.set()
        with PORTAUDIO.lock:
            self._feed(Stop(self._clock.monotonic()))
        self._ready.clear()

    def release(self) -> None:
        """Close the stream because PortAudio's list is made anew; `read` notices and opens it again."""
        recording = self._recording
        if recording is not None and recording.stream is not None:
            stream, recording.stream = recording.stream, None
            PORTAUDIO.close(stream, self)

    def _collect(self) -> None:
        recording = self._recording
        if recording is None:
            return
        for block in recording.blocks():
            missing_s = 0.0
            if self._resumed and self._next_at is not None:
                missing_s = max(0.0, block.at - self._next_at)
            self._resumed = False
            self._next_at = block.at + FRAME_SAMPLES / SAMPLE_RATE_HZ
            self._ready.append(AudioBlock(block.pcm, block.at, block.gap + round(missing_s * SAMPLE_RATE_HZ)))

    def _look(self) -> None:
        with PORTAUDIO.lock:
            recording = self._recording
            heard_at = None if recording is None else recording.heard_at
            active = recording is not None and recording.stream is not None and recording.stream.active
            moved = self._link.state is State.RUNNING and self._watch is not None and self._watch.moved()
            self._feed(Look(self._clock.monotonic(), heard_at, active, moved))

    def _feed(self, event: Event) -> None:
        self._link, actions = step(self._link, event)
        for action in actions:
            self._act(action)

    def _act(self, action: Action) -> None:
        if action is Action.CLOSE:
            self._close_stream()
        elif action is Action.REPORT_LOST:
            log.warning("%s: the microphone is lost; opening it again by name", self._name)
            self._resumed = True
        elif action is Action.REPORT_BACK:
            if self._resumed:
                log.warning("%s: the microphone is back", self._name)
            if self._watch is not None:
                self._watch.settle()
        else:
            self._open(refresh=action is Action.REFRESH)

    def _open(self, *, refresh: bool) -> None:
        with PORTAUDIO.lock:
            try:
                if refresh:
                    PORTAUDIO.refresh()
                self._opening_error = None
                self._open_stream()
            except DeviceError as error:
                log.debug("%s", error)
                self._opening_error = error
                self._feed(Failed(self._clock.monotonic()))
            else:
                self._feed(Opened(self._clock.monotonic()))

    def _open_stream(self) -> None:
        device = PORTAUDIO.find(self._wanted, Direction.INPUT)
        # Once it has run, its channels are a promise: a device that comes back with fewer is not the one that was lost.
        channels = self._channels or self._wanted_channels or device.own_channels(Direction.INPUT)
        rate_hz = self._wanted_rate_hz or device.rate_hz
        recording = _Recording(device, channels, rate_hz, self._clock, self._wake)
        self._watch = MoveWatch.begin()
        recording.stream = PORTAUDIO.open(
            Direction.INPUT,
            device,
            self,
            channels=channels,
            rate_hz=rate_hz,
            block=rate_hz * FRAME_MS // 1000,
            latency="high",
            callback=recording.callback,
        )
        self._recording = recording
        self._name = device.name
        self._channels = channels

    def _close_stream(self) -> None:
        self.release()
        self._recording = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None
