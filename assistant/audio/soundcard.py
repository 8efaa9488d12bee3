"""A microphone by name, through PortAudio: 20 ms blocks at 16 kHz of all its channels; opened again when it is lost.

    callback (PortAudio's thread) ─► ring at the native rate ─► read() (audio thread): blocks, and a look at the link

The callback only copies and counts. Everything that can take time, reopening included, happens in `read`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from assistant.audio.capture import Capture
from assistant.audio.devices import Device, Direction
from assistant.audio.portaudio import PORTAUDIO
from assistant.audio.pulse import MoveWatch
from assistant.audio.reconnect import Action, Event, Failed, Link, Look, Opened, Start, State, Stop, step
from assistant.audio.ring import RingStatistics
from assistant.audio.source import MAX_CHANNELS, Nothing, Source
from assistant.clock import Clock, SystemClock
from assistant.errors import DeviceError
from assistant.types import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioBlock

LOOK_EVERY_S = 0.1

log = logging.getLogger(__name__)


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
        self._patience_s = 0.0
        self._link = Link()
        self._capture: Capture | None = None
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
        capture = self._capture
        return None if capture is None else capture.ring.statistics()

    def wake_after(self, sound_s: float) -> None:
        """As `assistant.audio.resting.Patient`: the callback wakes `read` when so much sound waits."""
        self._patience_s = sound_s
        if self._capture is not None:
            self._capture.wake_from = _samples(sound_s, self._capture.rate_hz)

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        if self._ready and not self._ended:
            return self._ready.popleft()
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

    @property
    def busy(self) -> bool:
        """Never: a short gap in what is heard is told to those who listen."""
        return False

    def release(self) -> None:
        """Close the stream because PortAudio's list is made anew; `read` notices and opens it again."""
        capture = self._capture
        if capture is not None and capture.stream is not None:
            stream, capture.stream = capture.stream, None
            PORTAUDIO.close(stream, self)

    def _collect(self) -> None:
        capture = self._capture
        if capture is None:
            return
        for block in capture.blocks():
            missing_s = 0.0
            if self._resumed and self._next_at is not None:
                missing_s = max(0.0, block.at - self._next_at)
            self._resumed = False
            self._next_at = block.at + FRAME_SAMPLES / SAMPLE_RATE_HZ
            self._ready.append(AudioBlock(block.pcm, block.at, block.gap + round(missing_s * SAMPLE_RATE_HZ)))

    def _look(self) -> None:
        with PORTAUDIO.lock:
            capture = self._capture
            heard_at = None if capture is None else capture.heard_at
            active = capture is not None and capture.stream is not None and capture.stream.active
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
            self._open(PORTAUDIO.find_anew if action is Action.REFRESH else PORTAUDIO.find)

    def _open(self, find: Callable[[str | None, Direction], Device]) -> None:
        with PORTAUDIO.lock:
            self._opening_error = None
            try:
                self._open_stream(find(self._wanted, Direction.INPUT))
            except DeviceError as error:
                log.debug("%s", error)
                self._opening_error = error
                self._close_stream()
                self._feed(Failed(self._clock.monotonic()))
            else:
                self._feed(Opened(self._clock.monotonic()))
                if self._ended:  # closed by a signal handler while it was being opened
                    self._close_stream()

    def _open_stream(self, device: Device) -> None:
        # Once it has run, its channels are a promise: a device that comes back with fewer is not the one that was lost.
        channels = self._channels or self._wanted_channels or device.own_channels(Direction.INPUT)
        rate_hz = self._wanted_rate_hz or device.rate_hz
        capture = Capture(channels, rate_hz, self._clock, self._wake)
        capture.wake_from = _samples(self._patience_s, rate_hz)
        self._watch = MoveWatch.begin()
        capture.stream = PORTAUDIO.open(
            Direction.INPUT,
            device,
            self,
            channels=channels,
            rate_hz=rate_hz,
            block=rate_hz * FRAME_MS // 1000,
            latency="high",
            callback=capture.callback,
        )
        self._capture = capture
        self._name = device.name
        self._channels = channels

    def _close_stream(self) -> None:
        self.release()
        self._capture = None
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def _samples(sound_s: float, rate_hz: int) -> int:
    """How many make so much sound, at least one."""
    return max(round(sound_s * rate_hz), 1)
