"""The assistant as a Wyoming server: speech to text, intents and wake words for other programs of the house.

Off unless `wyoming.enabled`, and on loopback unless `wyoming.host` says otherwise: the protocol knows no password.
Nothing that comes in here acts on the house. What is done with a client's sound is `wyoming_stream`, a frame's limits
are `wyoming_wire`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event
from wyoming.info import Describe
from wyoming.intent import Entity, Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from assistant.clock import Clock, SystemClock
from assistant.errors import AssistantError, ConfigError, UsageError
from assistant.integrations import wyoming_stream as table
from assistant.integrations.wyoming_info import info, language_of, wake_words
from assistant.integrations.wyoming_stream import Action, Purpose, State, Stream
from assistant.integrations.wyoming_wire import MOST_HEADER_BYTES, Resampler, read_event, seconds_of
from assistant.listen.wake import WakeWord, open_wake_words, spelled
from assistant.types import SAMPLE_RATE_HZ, AudioFrame, frozen_array

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.daemon.service import Bus

LOOK_EVERY_S = 1.0
TAKEN_WITHIN_S = 10.0
"""So long may an answer stay untaken."""
MOST_TEXT = 1_000
LEAVE_WITHIN_S = 0.5

T = TypeVar("T")

log = logging.getLogger(__name__)


class Wyoming:
    """The integration."""

    name = "wyoming"

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config, self._settings = config, config.wyoming
        self._clock = clock or SystemClock()
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], _Connection] = {}
        self._detecting: ThreadPoolExecutor | None = None
        self._ended = asyncio.Event()
        self.served = 0
        self.refused = 0

    async def start(self, bus: Bus) -> None:
        """Open the port. Raises ConfigError where that cannot be."""
        settings = self._settings
        self._ended.clear()
        self._detecting = ThreadPoolExecutor(1, "wyoming-wake")
        words = await asyncio.to_thread(wake_words, self._config)
        description = info(self._config, await asyncio.to_thread(language_of, self._config), words)

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = _Connection(self, bus, description, reader, writer)
            client = asyncio.create_task(self._serve(connection))
            self._clients[client] = connection
            client.add_done_callback(lambda ended: self._clients.pop(ended, None))

        try:
            self._server = await asyncio.start_server(
                connected, settings.host, settings.port, limit=MOST_HEADER_BYTES, backlog=settings.clients
            )
        except OSError as error:
            where = f"wyoming, {settings.host}:{settings.port}"
            what = f"the port cannot be opened: {error.strerror}"
            remedy = "set wyoming.port to one that is free, and wyoming.host to an address of this machine"
            raise ConfigError(what, where=where, remedy=remedy) from error
        if not _is_loopback(settings.host):
            log.warning("wyoming: everybody who reaches %s:%s may use it", settings.host, settings.port)

    async def wait(self) -> None:
        """Wait until it is stopped: a server does not end by itself."""
        await self._ended.wait()

    async def stop(self) -> None:
        """Close the port and leave every client."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients:
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients, timeout=LEAVE_WITHIN_S)
        if self._detecting is not None:
            self._detecting.shutdown(wait=False, cancel_futures=True)
        self._ended.set()

    def status(self) -> str:
        """A few words for people."""
        if self._server is None:
            return "not open"
        refused = f", {self.refused} refused" if self.refused else ""
        where = f"{self._settings.host}:{self._settings.port}"
        return f"listening on {where}, {len(self._clients)} clients now, {self.served} so far{refused}"

    @property
    def port(self) -> int:
        """The port."""
        return self._settings.port

    @property
    def connections(self) -> tuple[_Connection, ...]:
        """The clients that are connected."""
        return tuple(self._clients.values())

    # -- for connections -----------------------------------------------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The clock."""
        return self._clock

    @property
    def cap_s(self) -> float:
        """Longest utterance, seconds."""
        return self._settings.cap_s

    async def detectors(self, names: Iterable[str]) -> tuple[WakeWord, ...]:
        """Detectors of a client's own, for those of the configured words that it wants. Raises AssistantError."""
        words = await asyncio.to_thread(wake_words, self._config)
        wanted = [word for word in words if word in {spelled(name) for name in names}] if names else list(words)
        if not wanted:
            raise UsageError("none of these wake words is configured", where="wyoming", remedy="add them to wake.words")
        thresholds = self._config.wake.thresholds
        return await self.detecting(lambda: open_wake_words(wanted, thresholds))

    async def detecting(self, call: Callable[[], T]) -> T:
        """Run `call` in the one thread for wake words."""
        return await asyncio.get_running_loop().run_in_executor(self._detecting, call)

    async def _serve(self, connection: _Connection) -> None:
        try:
            if len(self._clients) > self._settings.clients:
                self.refused += 1
                await connection.tell(Error("too many clients", "busy").event())
                return
            self.served += 1
            await connection.run()
        except (ConnectionError, asyncio.TimeoutError):
            log.debug("wyoming: a client went away")
        finally:
            await connection.close()


class _Connection:
    """One client."""

    def __init__(
        self, server: Wyoming, bus: Bus, description: Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._bus, self._description = server, bus, description
        self._reader, self._writer = reader, writer
        self._stream = Stream(server.cap_s, server.clock.monotonic())
        self._sound: list[NDArray[np.int16]] = []
        self._names: tuple[str, ...] = ()
        self._detectors: tuple[WakeWord, ...] = ()
        self._resampler = Resampler()
        self._position = 0

    @property
    def kept_s(self) -> float:
        """Sound that is kept now, seconds."""
        return sum(map(len, self._sound)) / SAMPLE_RATE_HZ

    async def run(self) -> None:
        """Answer until the client goes, or is cut off."""
        while True:
            reading = asyncio.ensure_future(read_event(self._reader))
            try:
                while not (await asyncio.wait([reading], timeout=LOOK_EVERY_S))[0]:
                    self._stream, _ = table.step(self._stream, table.Look(self._server.clock.monotonic()))
                    if self._stream.state is State.CUT:
                        return
                event = reading.result()
                if event is None:
                    return
                await self._answer(event)
            except AssistantError as error:
                await self.tell(Error(error.what, type(error).__name__).event())
                if error.where == "Wyoming client":  # the frames are lost
                    return
            finally:
                reading.cancel()

    async def tell(self, event: Event) -> None:
        """Send one event; a client that does not take it within TAKEN_WITHIN_S raises TimeoutError."""
        await asyncio.wait_for(async_write_event(event, self._writer), TAKEN_WITHIN_S)

    async def close(self) -> None:
        """Let the socket go, whatever state it is in."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError, OSError):
            await asyncio.wait_for(self._writer.wait_closed(), LEAVE_WITHIN_S)

    async def _answer(self, event: Event) -> None:
        now = self._server.clock.monotonic()
        kind = event.type
        if Describe.is_type(kind):
            await self.tell(self._description)
        elif Ping.is_type(kind):
            await self.tell(Pong(text=_text(event, "text")).event())
        elif Recognize.is_type(kind):
            await self._recognize(_text(event, "text"))
        elif Transcribe.is_type(kind):
            await self._happened(table.Asked(now, Purpose.TRANSCRIPT), event)
        elif Detect.is_type(kind):
            names = event.data.get("names") or ()
            self._names = tuple(str(name) for name in names) if isinstance(names, list) else ()
            await self._happened(table.Asked(now, Purpose.WAKE), event)
        elif AudioStart.is_type(kind):
            await self._happened(table.Started(now), event)
        elif AudioChunk.is_type(kind):
            await self._happened(table.Sound(now, seconds_of(event)), event)
        elif AudioStop.is_type(kind):
            await self._happened(table.Stopped(now), event)

    async def _happened(self, what: table.Event, event: Event) -> None:
        self._stream, actions = table.step(self._stream, what)
        for action in actions:
            await self._do(action, event)

    async def _do(self, action: Action, event: Event) -> None:
        if action is Action.BEGIN:
            self._sound, self._resampler, self._position = [], Resampler(), 0
            wanted = self._stream.purpose is Purpose.WAKE
            self._detectors = await self._server.detectors(self._names) if wanted else ()
        elif action is Action.KEEP:
            self._sound.append(self._resampler.heard(event))
        elif action is Action.TRANSCRIBE:
            await self._transcribe()
        elif action is Action.DETECT:
            await self._detect(self._resampler.heard(event))
        else:
            await self.tell(NotDetected().event())

    async def _transcribe(self) -> None:
        """What was said as far as it makes sense here: words of a refused sentence would only be guessed."""
        sound, self._sound = [*self._sound, self._resampler.rest()], []
        pcm = np.concatenate(sound)
        if not len(pcm):
            await self.tell(Transcript("").event())
            return
        decided = await self._bus.hear(frozen_array(pcm[: round(self._server.cap_s * SAMPLE_RATE_HZ)]))
        await self.tell(Transcript("" if decided.outcome == "refuse" else decided.text).event())

    async def _recognize(self, text: str) -> None:
        decided = await self._bus.understand(text)
        if decided.outcome == "accept":
            entities = [Entity(name, value) for name, value in decided.slots.items() if value is not None]
            await self.tell(Intent(decided.intent, entities).event())
        else:
            await self.tell(NotRecognized(decided.reply or None).event())

    async def _detect(self, pcm: NDArray[np.int16]) -> None:
        frame = AudioFrame(frozen_array(pcm), self._position / SAMPLE_RATE_HZ)
        self._position += len(pcm)
        detectors = self._detectors
        found = await self._server.detecting(lambda: [d for one in detectors if (d := one.feed(frame)) is not None])
        for detection in found:
            self._stream, _ = table.step(self._stream, table.Detected(self._server.clock.monotonic()))
            await self.tell(Detection(name=detection.word, timestamp=round(1000 * detection.at_s)).event())


def _text(event: Event, name: str) -> str:
    value = event.data.get(name)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} is no text", where="wyoming", remedy="send a text")
    if len(value or "") > MOST_TEXT:
        raise UsageError(f"{name} has more than {MOST_TEXT} characters", where="wyoming", remedy="send less")
    return value or ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
