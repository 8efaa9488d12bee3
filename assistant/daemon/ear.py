"""The part that hears: a source read and a conversation run in the audio thread, its progress shown to supervision.

source ─► CountedSource ─► Conversation.decisions() ─► decided     (audio thread)
               └ frames, gaps, when it heard last                  (read by the event loop)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from assistant.audio.reconnect import State
from assistant.audio.resting import Patient
from assistant.audio.source import Nothing, Source
from assistant.clock import Clock
from assistant.types import SAMPLE_RATE_HZ, AudioBlock, Decision

FIRST_SOUND_S = 5.0
"""A microphone that was opened has so long to give its first frame before the daemon calls itself ready without."""
JOIN_S = 0.8
HANGS = -1
"""The progress of a conversation whose worker hangs: none."""


class CountedSource(Source):
    """A source, with counts of what came from it. Read in one thread, looked at from others."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self.frames = 0
        self.reads = 0
        self.lost_samples = 0
        self.reopened = 0
        self.heard_at: float | None = None
        self.first_sound = threading.Event()
        self._was_connected = True

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def channels(self) -> int:
        return self._source.channels

    @property
    def connected(self) -> bool:
        """Sound should come: False while a microphone is lost and is opened again."""
        return getattr(self._source, "state", State.RUNNING) in (State.RUNNING, State.STARTING)

    def wake_after(self, sound_s: float) -> None:
        """As `assistant.audio.resting.Patient`, where the source is."""
        if isinstance(self._source, Patient):
            self._source.wake_after(sound_s)

    def read(self, timeout_s: float) -> AudioBlock | Nothing:
        block = self._source.read(timeout_s)
        self.reads += 1
        if isinstance(block, AudioBlock):
            self.frames += 1
            self.lost_samples += block.gap
            self.heard_at = self._clock.monotonic()
            if not self.first_sound.is_set():  # cheaper than to wake nobody, fifty times a second
                self.first_sound.set()
        connected = self.connected
        self.reopened += connected and not self._was_connected
        self._was_connected = connected
        return block

    def close(self) -> None:
        self._source.close()

    @property
    def lost_s(self) -> float:
        """Sound lost, seconds."""
        return self.lost_samples / SAMPLE_RATE_HZ


class Hearing(Protocol):
    """What runs in the audio thread (`assistant.pipeline.Conversation`)."""

    def decisions(self) -> Iterator[Decision]:
        """All decisions until the source ends."""
        ...


class Ear:
    """The part.

    open_source: opens the microphone; raises AssistantError. converse: makes a conversation on it.
    decided: is given each decision, in the audio thread.
    hangs: asked whether what decodes beside it hangs; then it counts as making no progress, and a new one takes over.
    ends_quietly: the end of the source ends the daemon's hearing for good, as a file's does; else it is a failure.
    """

    name = "ear"

    def __init__(
        self,
        open_source: Callable[[], Source],
        converse: Callable[[Source], Hearing],
        decided: Callable[[Decision], None],
        clock: Clock,
        *,
        hangs: Callable[[], bool] = lambda: False,
        ends_quietly: bool = False,
    ) -> None:
        self._hangs = hangs
        self._open_source, self._converse, self._decided, self._clock = open_source, converse, decided, clock
        self._ends_quietly = ends_quietly
        self.source: CountedSource | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Future[None] | None = None
        self.reopened = self.frames = 0
        self.lost_s = 0.0

    async def start(self) -> None:
        """Open the microphone, begin to listen, and wait for the first sound."""
        loop = asyncio.get_running_loop()
        opened = await loop.run_in_executor(None, self._open_source)
        source = self.source = CountedSource(opened, self._clock)
        ended: asyncio.Future[None] = loop.create_future()
        self._ended = ended
        conversation = self._converse(source)

        def hear() -> None:
            error: BaseException | None = None
            try:
                for decision in conversation.decisions():
                    self._decided(decision)
            except BaseException as fault:  # noqa: BLE001  told to whoever waits, in the event loop
                error = fault
            finally:
                source.close()
                source.first_sound.set()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_set, ended, error)

        self._thread = threading.Thread(target=hear, name="ear", daemon=True)
        self._thread.start()
        await loop.run_in_executor(None, lambda: source.first_sound.wait(FIRST_SOUND_S))

    async def wait(self) -> None:
        """Return when the source has ended; raise what ended the thread."""
        assert self._ended is not None
        await asyncio.shield(self._ended)
        if self._ends_quietly:
            await asyncio.Event().wait()

    async def stop(self) -> None:
        """Close the microphone; the thread decides what was said so far, and ends."""
        source, thread = self.source, self._thread
        self.source = self._thread = None
        if source is not None:
            loop = asyncio.get_running_loop()
            self.reopened += source.reopened
            self.frames += source.frames
            self.lost_s += source.lost_s
            await loop.run_in_executor(None, source.close)
            if thread is not None:
                await loop.run_in_executor(None, lambda: thread.join(JOIN_S))

    def progress(self) -> int | None:
        """Frames while a microphone is connected; while it is opened again, that the thread still turns."""
        source = self.source
        if self._hangs():
            return HANGS
        if source is None or (self._ended is not None and self._ended.done()):
            return None
        return source.frames if source.connected else source.reads

    def status(self) -> str:
        """What it hears."""
        source = self.source
        if source is None:
            return "no microphone"
        return (
            f"listening to {source.name}" if source.connected else f"{source.name} is lost; it is opened again by name"
        )


def _set(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
