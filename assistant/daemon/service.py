"""What joins the assistant to the rest of the house: the protocol of integrations, and the bus that they are lent.

An integration is registered as an entry point of the group `assistant.integrations`: a function that is given the
configuration (`assistant.config.Config`) and the folder for its state, and returns the integration, or None where
nothing is configured for it.
Everything runs in the daemon's one event loop, so that nothing here needs a lock and nothing here may block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from assistant.daemon.events import Decided, Event

ENTRY_POINTS = "assistant.integrations"
STOP_WITHIN_S = 1.0
"""So long may an integration take to stop before it is left behind."""


class Bus(Protocol):
    """What a running daemon can be asked. Every call raises AssistantError where it cannot be done."""

    def subscribe(self, source: str) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """All events from now on; a subscriber that lags behind loses the oldest and never delays anybody.

        source: who subscribes, for the status.
        """
        ...

    async def say(self, text: str, source: str) -> Decided:
        """Understand a typed command and act on it, in the conversation of `source`; the reply is not spoken."""
        ...

    async def understand(self, text: str) -> Decided:
        """Understand a typed command and do nothing."""
        ...

    async def hear(self, pcm: NDArray[np.int16]) -> Decided:
        """Understand sound and do nothing. pcm: int16, shape [samples], 16 kHz, one utterance, at most 60 s."""
        ...

    async def speak(self, text: str, mark: str = "") -> None:
        """Say `text` on the loudspeaker when its turn comes; returns at once. The event `Said` with `mark` ends it."""
        ...

    async def listen(self) -> None:
        """Hear one command without a wake word, as if one had just been said."""
        ...

    async def mute(self, *, muted: bool) -> None:
        """Listen no more, or again; kept until the daemon ends."""
        ...

    async def reload(self) -> None:
        """Read configuration, contexts and home again. Where they are wrong the old ones stay; raises ConfigError."""
        ...


@runtime_checkable
class Integration(Protocol):
    """One connection to the rest of the house. The daemon starts it, looks after it, and starts it again when it fails.

    start ─► wait … ─► returns or raises ─► stop ─► (back-off) ─► start
    """

    @property
    def name(self) -> str:
        """As in the configuration and in the status: "mqtt"."""
        ...

    async def start(self, bus: Bus) -> None:
        """Connect and begin; returns when it is in use. Raises AssistantError where it cannot (then: back-off)."""
        ...

    async def wait(self) -> None:
        """Return, or raise what went wrong, when it has ended by itself; while it is well it only waits."""
        ...

    async def stop(self) -> None:
        """End within STOP_WITHIN_S, whatever state it is in; may be called when it never started."""
        ...

    def status(self) -> str:
        """A few words for people: "connected to 192.168.1.2, 3 messages wait"."""
        ...
