"""The bus of a running daemon (`assistant.daemon.service.Bus`): events to all who subscribed, calls to one assistant.

audio thread ─┐                              ┌─► control socket
skills ───────┼─► publish ─► event loop ─────┼─► integrations        each with a bounded queue: the oldest is lost
mouth ────────┘                              └─► metrics
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from assistant.clock import Clock
from assistant.daemon.events import MICROPHONE, Announced, Decided, Event, Muted, Reloaded, Said, SpeechBegan, Woke
from assistant.errors import AssistantError, UsageError
from assistant.types import Decision

WAITING_EVENTS = 64
"""Events that may wait for one subscriber."""
MOST_CONVERSATIONS = 16
"""Typed conversations that are remembered, one a source; the one that was quiet longest is forgotten."""
MOST_WAITING_CALLS = 160
"""Typed commands that may wait for their turn, one for each client of the control socket; more are told so."""

LONGEST_REST_S = 0.2
"""Between two of many typed commands."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Assistant(Protocol):
    """What the daemon has to do with the assistant. Each call may block, except `mute`, `listen` and `speak`."""

    def say(self, text: str, source: str) -> Decision:
        """Understand a typed command in the conversation of `source`, and act on it."""
        ...

    def understand(self, text: str) -> Decision:
        """Understand a typed command; do nothing."""
        ...

    def hear(self, pcm: NDArray[np.int16]) -> Decision:
        """Understand sound; do nothing."""
        ...

    def speak(self, text: str, said: Callable[[], None]) -> None:
        """Say it when its turn comes, and call `said` when that is over, from any thread."""
        ...

    def listen(self, action: str) -> None:
        """Take "once", "press" or "release". Raises AssistantError where there is no microphone."""
        ...

    def mute(self, *, muted: bool) -> None:
        """Listen no more, or again."""
        ...

    def reload(self) -> str:
        """Read everything again; what was changed, in words. Raises AssistantError, and then nothing was changed."""
        ...


class Subscription:
    """One subscriber's queue. lost: events that it was too slow for."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lost = 0
        self._events: deque[Event] = deque()
        self._there = asyncio.Event()

    def put(self, event: Event) -> None:
        """Add an event; the oldest makes room."""
        if len(self._events) >= WAITING_EVENTS:
            self._events.popleft()
            self.lost += 1
        self._events.append(event)
        self._there.set()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            self._there.clear()
            await self._there.wait()
        return self._events.popleft()


class DaemonBus:
    """The bus. Made in the event loop's thread; `publish` and what is named `from_…` may be called from any thread."""

    def __init__(self, assistant: Assistant, clock: Clock) -> None:
        self._assistant, self._clock = assistant, clock
        self._loop = asyncio.get_running_loop()
        self._subscriptions: list[Subscription] = []
        self._typing = ThreadPoolExecutor(1, "typed")
        self._waiting = 0
        self._listeners: list[Callable[[Event], None]] = []
        self._reloading = asyncio.Lock()
        self.muted = False

    # -- events ----------------------------------------------------------------------------------------------------

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """Who subscribed."""
        return tuple(self._subscriptions)

    def watch(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event, in the loop's thread; it must be quick and must not raise."""
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Tell everybody. From any thread; after the loop has ended nobody is told."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, event)
        except RuntimeError:
            log.debug("an event came after the end")

    def decided(self, decision: Decision, source: str = MICROPHONE, *, acted: bool = True) -> Decided:
        """Publish a decision; the event."""
        event = decided(decision, source, acted=acted)
        self.publish(event)
        return event

    def announced(self, text: str, *, ring: bool) -> None:
        """Publish what a skill said unasked."""
        self.publish(Announced(at=self._clock.wall(), text=text, ring=ring))

    def speech_began(self) -> None:
        """Publish that somebody speaks."""
        self.publish(SpeechBegan(at=self._clock.wall()))

    def woke(self, word: str, context: str) -> None:
        """Publish a wake word."""
        self.publish(Woke(at=self._clock.wall(), word=word, context=context))

    @asynccontextmanager
    async def subscribe(self, source: str) -> AsyncIterator[AsyncIterator[Event]]:
        """As `Bus.subscribe`."""
        subscription = Subscription(source)
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)

    # -- calls -----------------------------------------------------------------------------------------------------

    async def say(self, text: str, source: str) -> Decided:
        """As `Bus.say`."""
        return self.decided(await self._typed(lambda: self._assistant.say(text, source)), source)

    async def understand(self, text: str) -> Decided:
        """As `Bus.understand`."""
        return decided(await self._typed(lambda: self._assistant.understand(text)), "", acted=False)

    async def hear(self, pcm: NDArray[np.int16]) -> Decided:
        """As `Bus.hear`."""
        return decided(await self._typed(lambda: self._assistant.hear(pcm)), "", acted=False)

    async def speak(self, text: str, mark: str = "") -> None:
        """As `Bus.speak`."""
        self._assistant.speak(text, lambda: self.publish(Said(at=self._clock.wall(), mark=mark)))

    async def listen(self, action: str = "once") -> None:
        """As `Bus.listen`; "press" and "release" are the button of push-to-talk."""
        self._assistant.listen(action)

    async def mute(self, *, muted: bool) -> None:
        """As `Bus.mute`."""
        self._assistant.mute(muted=muted)
        self.muted = muted
        self.publish(Muted(at=self._clock.wall(), muted=muted))

    async def reload(self) -> None:
        """As `Bus.reload`."""
        await self.reloaded()

    async def reloaded(self) -> str:
        """Reload; what was changed, in words."""
        async with self._reloading:
            try:
                what = await self._loop.run_in_executor(None, self._assistant.reload)
            except AssistantError as error:
                self.publish(Reloaded(at=self._clock.wall(), ok=False, why=str(error)))
                raise
        self.publish(Reloaded(at=self._clock.wall(), ok=True, why=what))
        return what

    def close(self) -> None:
        """Take no more calls; what is under way is not waited for."""
        self._typing.shutdown(wait=False, cancel_futures=True)

    async def _typed(self, call: Callable[[], T]) -> T:
        """Run `call` in the thread for typed commands, one after another, and never many waiting."""
        if self._waiting >= MOST_WAITING_CALLS:
            raise UsageError("it is busy with other commands", where="control socket", remedy="ask again in a second")
        self._waiting += 1
        try:
            return await self._loop.run_in_executor(self._typing, lambda: self._at_leisure(call))
        finally:
            self._waiting -= 1

    def _at_leisure(self, call: Callable[[], T]) -> T:
        """Do `call`, and where many wait, rest as long: the voice needs this processor, too."""
        began = time.monotonic()
        try:
            return call()
        finally:
            if self._waiting > 1:
                time.sleep(min(time.monotonic() - began, LONGEST_REST_S))

    def _deliver(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
        for subscription in self._subscriptions:
            subscription.put(event)


class Conversations:
    """The typed conversations by source, the least recent forgotten first. talk: begins one."""

    def __init__(self, begin: Callable[[], Talk]) -> None:
        self._begin = begin
        self._talks: OrderedDict[str, Talk] = OrderedDict()

    def line(self, text: str, source: str) -> Decision:
        """Understand `text` as the next line of the conversation with `source`."""
        talk = self._talks.pop(source, None) or self._begin()
        self._talks[source] = talk
        if len(self._talks) > MOST_CONVERSATIONS:
            self._talks.popitem(last=False)
        return talk.line(text)


class Talk(Protocol):
    """One typed conversation (`assistant.typed.TypedConversation`)."""

    def line(self, text: str) -> Decision:
        """Understand the next line and act on it."""
        ...


def decided(decision: Decision, source: str, *, acted: bool = True) -> Decided:
    """A decision as an event."""
    u = decision.understanding
    return Decided(
        at=decision.at,
        context=decision.context.name,
        outcome=u.outcome.value,
        intent=u.intent,
        slots=dict(u.slots),
        text=u.text,
        confidence=round(u.confidence, 4),
        reason=u.reason,
        reply=decision.reply.text or u.question,
        engine=u.engine,
        variant=u.variant,
        heard=decision.transcript.text,
        expects_answer=decision.reply.expects_answer,
        timings_ms={name: round(value, 2) for name, value in u.timings_ms.items()},
        felt_ms=None if decision.felt_ms is None else round(decision.felt_ms, 1),
        provisional=decision.provisional,
        revises=decision.revises,
        acted=acted,
        source=source,
    )
