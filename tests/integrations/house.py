"""A daemon's bus over a real assistant that understands typed commands, and what it would say on the loudspeaker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.act.skills import built_in
from assistant.clock import SystemClock
from assistant.daemon.bus import Conversations, DaemonBus
from assistant.errors import DeviceError
from assistant.grammar.load import load_context
from assistant.pipeline import Understander
from assistant.recognize.engine import Recognizer
from assistant.recognize.text import TextRecognizer
from assistant.typed import TypedConversation
from assistant.types import Decision, EndReason, Reply, Utterance

PATIENCE_S = 30.0
"""Real seconds after which a test that waits for something that never comes is told so."""
LOOK_EVERY_S = 0.01


@dataclass
class House:
    """The assistant behind the bus. said: what went to the loudspeaker, in order."""

    understander: Understander
    said: list[str] = field(default_factory=list)
    listened: int = 0
    muted: bool = False
    reloads: int = 0

    def __post_init__(self) -> None:
        self._conversations = Conversations(lambda: TypedConversation(self.understander))

    def say(self, text: str, source: str) -> Decision:
        return self._conversations.line(text, source)

    def understand(self, text: str) -> Decision:
        from assistant.recognize.text import recognize_text

        u = self.understander
        transcript = recognize_text(u.prepared, text)
        decided = u.understand(transcript, u.context, 0.0)
        return u.decision(None, transcript, u.context, decided, decided, Reply(""))

    def hear(self, pcm: NDArray[np.int16]) -> Decision:
        u = self.understander
        voice = np.ones(len(pcm) // 320 + 1, np.float32)
        utterance = Utterance(pcm, 0.0, 0.0, len(pcm) / 16_000, voice, EndReason.RELEASED)
        transcript = u.recognize(utterance)
        decided = u.understand(transcript, u.context, 0.0)
        return u.decision(utterance, transcript, u.context, decided, decided, Reply(""))

    def speak(self, text: str, said: Callable[[], None]) -> None:
        self.said.append(text)
        said()

    def listen(self, action: str) -> None:
        if self.muted:
            raise DeviceError("the microphone is muted", where="test", remedy="unmute it")
        self.listened += action == "once"

    def mute(self, *, muted: bool) -> None:
        self.muted = muted

    def reload(self) -> str:
        self.reloads += 1
        return "home"


def house(recognizer: Recognizer | None = None, context: str = "home") -> House:
    """A house with the skills that need nothing."""
    recognizer = recognizer or TextRecognizer()
    clock = SystemClock()
    prepared = recognizer.prepare(load_context(context))
    return House(Understander(recognizer, prepared, built_in(clock), clock))


def bus_of(house: House) -> DaemonBus:
    """The daemon's bus; to be made, and closed, in a running event loop."""
    return DaemonBus(house, SystemClock())


async def until(what: Callable[[], bool], why: str = "it never came true") -> None:
    """Wait for a state."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not what():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(why)
        await asyncio.sleep(LOOK_EVERY_S)


async def patiently(wanted: Awaitable[Any]) -> Any:
    """What `wanted` gives, within PATIENCE_S."""
    return await asyncio.wait_for(wanted, PATIENCE_S)
