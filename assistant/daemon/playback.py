"""The part that speaks: its thread, begun again when an error ends it; what waits is then said by the next one."""

from __future__ import annotations

import asyncio
from typing import Protocol

LOOK_EVERY_S = 0.5


class Speaking(Protocol):
    """What speaks (`assistant.cli.mouth.Mouth`)."""

    @property
    def alive(self) -> bool:
        """Its thread runs."""
        ...

    def begin(self) -> None:
        """Begin its thread, unless it runs."""
        ...

    def status(self) -> str:
        """What it speaks with, and on."""
        ...


class Playback:
    """The part."""

    name = "mouth"

    def __init__(self, speaking: Speaking) -> None:
        self._speaking = speaking

    async def start(self) -> None:
        """Begin."""
        self._speaking.begin()

    async def wait(self) -> None:
        """Return when the thread has ended."""
        while self._speaking.alive:  # noqa: ASYNC110  a thread tells no event loop that an error ended it
            await asyncio.sleep(LOOK_EVERY_S)

    async def stop(self) -> None:
        """Nothing: whoever made it lets it say its last words."""

    def progress(self) -> int | None:
        """None: a reply may take as long as it takes, and every wait in it has an end."""
        return None

    def status(self) -> str:
        """As it says."""
        return self._speaking.status()
