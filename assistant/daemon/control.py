"""What each request does: the table from messages to the bus. The socket, and who may use it, are the server's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from assistant.daemon.bus import DaemonBus
from assistant.daemon.events import Decided
from assistant.daemon.peers import Peer
from assistant.daemon.protocol import (
    AnyRequest,
    Listen,
    Metrics,
    Mute,
    Reload,
    Request,
    Say,
    Speak,
    Status,
    Timers,
    Understand,
    sound_of,
)
from assistant.errors import UsageError


class Control:
    """A dispatcher. describe: the status. timers: those that are set. metrics: the text for Prometheus."""

    def __init__(
        self,
        bus: DaemonBus,
        describe: Callable[[], dict[str, object]],
        timers: Callable[[], list[dict[str, object]]],
        metrics: Callable[[], str],
    ) -> None:
        self._bus, self._describe, self._timers, self._metrics = bus, describe, timers, metrics
        self._table: dict[type[Request], Callable[[Any, Peer], Awaitable[object]]] = {
            Status: self._status,
            Say: self._say,
            Understand: self._understand,
            Speak: self._speak,
            Listen: self._listen,
            Mute: self._mute,
            Timers: self._list_timers,
            Reload: self._reload,
            Metrics: self._write_metrics,
        }

    async def __call__(self, request: AnyRequest, peer: Peer) -> object:
        """Do `request` for `peer`. Raises AssistantError."""
        return await self._table[type(request)](request, peer)

    async def _status(self, _request: Status, _peer: Peer) -> object:
        return self._describe()

    async def _say(self, request: Say, peer: Peer) -> Decided:
        """One conversation for each user: a shell that asks and one that answers are the same person."""
        decided = await self._bus.say(request.text, f"socket, uid {peer.uid}")
        if request.speak and decided.reply:
            await self._bus.speak(decided.reply)
        return decided

    async def _understand(self, request: Understand, _peer: Peer) -> Decided:
        if (request.text is None) == (request.sound is None):
            raise UsageError("give either text or sound", where="understand", remedy="see docs/control-socket.md")
        if request.text is not None:
            return await self._bus.understand(request.text)
        assert request.sound is not None
        return await self._bus.hear(sound_of(request.sound))

    async def _speak(self, request: Speak, _peer: Peer) -> None:
        await self._bus.speak(request.text)

    async def _listen(self, request: Listen, _peer: Peer) -> None:
        await self._bus.listen(request.action)

    async def _mute(self, request: Mute, _peer: Peer) -> dict[str, bool]:
        await self._bus.mute(muted=request.muted)
        return {"muted": request.muted}

    async def _list_timers(self, _request: Timers, _peer: Peer) -> list[dict[str, object]]:
        return self._timers()

    async def _reload(self, _request: Reload, _peer: Peer) -> dict[str, str]:
        return {"changed": await self._bus.reloaded()}

    async def _write_metrics(self, _request: Metrics, _peer: Peer) -> dict[str, str]:
        return {"text": self._metrics()}
