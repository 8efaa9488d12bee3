"""Keeps the assistant's home like the one in Home Assistant: its areas, devices, names and aliases, as they change.

    registries ──WebSocket──► imported ──► home.yaml (kept for when Home Assistant is away) ──► bus.reload

Commands go there by another way, which needs no connection that stays: `assistant.act.home_assistant`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.act.home_assistant import checked_url
from assistant.clock import Clock, SystemClock
from assistant.config.layers import SYSTEM_FOLDER
from assistant.errors import AssistantError, StorageError
from assistant.folders import user_config_folder
from assistant.grammar.home import HOME_FILE, load_home
from assistant.grammar.household import Home
from assistant.integrations import connecting
from assistant.integrations.home_assistant_home import as_yaml, imported
from assistant.integrations.home_assistant_socket import LOST, NotLetInError, Socket, in_words, logged_in
from assistant.integrations.tasks import Tasks, first_to_end
from assistant.secret import read_secret
from assistant.trust import trusting
from assistant.whole import PRIVATE, write_whole

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.daemon.service import Bus

SETTLE_S = 1.0
"""A change seldom comes alone: what follows within so long is read with it."""
READ_AGAIN_S = 300.0
"""What is exposed, and what has no entry in a registry, changes without an event."""

log = logging.getLogger(__name__)


class HomeAssistantHome:
    """The integration. folder: where the home is written to."""

    name = "home-assistant"

    def __init__(self, config: Config, folder: Path, clock: Clock | None = None) -> None:
        self._config, self._settings = config, config.home_assistant
        self._file = folder / HOME_FILE
        self._clock = clock or SystemClock()
        self._tasks = Tasks()
        self._notes: tuple[str, ...] = ()
        self._devices = 0
        self.link = connecting.Link()
        self.times_lost = 0
        self.imports = 0

    async def start(self, bus: Bus) -> None:
        """Begin to connect; a Home Assistant that is away is waited for. Raises ConfigError for what cannot work."""
        url = checked_url(str(self._settings.url))
        self._token()
        trust = trusting("home_assistant.ca_file", self._settings.ca_file) if url.startswith("https") else None
        self.link = connecting.step(connecting.Link(), connecting.Start(self._clock.monotonic()))
        self._tasks.begin(self._stay_connected(bus, url, trust))

    async def wait(self) -> None:
        """Return when it has ended by itself, which only a bug can do."""
        await self._tasks.wait()

    async def stop(self) -> None:
        """Leave."""
        await self._tasks.end()
        self.link = connecting.step(self.link, connecting.Stop(self._clock.monotonic()))

    def status(self) -> str:
        """A few words for people."""
        why = f" ({self.link.why})" if self.link.why else ""
        devices = f", {self._devices} devices" if self.imports else ""
        notes = f", {len(self._notes)} names to mend (see the log)" if self._notes else ""
        return f"{self.link.state.value} to {self._settings.url}{why}{devices}{notes}"

    # -- the connection ------------------------------------------------------------------------------------------------

    async def _stay_connected(self, bus: Bus, url: str, trust: ssl.SSLContext | None) -> None:
        while True:
            if self.link.state is connecting.State.WAITING:
                await asyncio.sleep(max(self.link.retry_at - self._clock.monotonic(), 0.0))
                self.link = connecting.step(self.link, connecting.Look(self._clock.monotonic()))
                continue
            try:
                async with logged_in(url, self._token(), trust) as socket:
                    self.link = connecting.step(self.link, connecting.Connected(self._clock.monotonic()))
                    log.info("home assistant: connected to %s", url)
                    await first_to_end(socket.listen(), self._follow(socket, bus))
            except (*LOST, AssistantError) as error:
                refused = isinstance(error, (NotLetInError, AssistantError, ssl.SSLCertVerificationError))
                self._lost(in_words(error), refused=refused)

    def _lost(self, why: str, *, refused: bool) -> None:
        self.times_lost += self.link.state is connecting.State.CONNECTED
        if why != self.link.why:
            log.warning("home assistant: %s: %s", self._settings.url, why)
        kind = connecting.Refused if refused else connecting.Failed
        self.link = connecting.step(self.link, kind(self._clock.monotonic(), why, random.random()))

    async def _follow(self, socket: Socket, bus: Bus) -> None:
        """Read the registries now, and again whenever something changes."""
        await socket.subscribe()
        while True:
            socket.changed.clear()
            if await socket.is_running():
                await self._import(socket, bus)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(socket.changed.wait(), READ_AGAIN_S)
                await asyncio.sleep(SETTLE_S)

    async def _import(self, socket: Socket, bus: Bus) -> None:
        registry = await socket.registry(only_exposed=self._settings.exposed)
        own = await asyncio.to_thread(_own_home, self._config)
        found = imported(registry, own, self._settings.here)
        for note in found.notes:
            if note not in self._notes:
                log.warning("home assistant: %s", note)
        self._notes, self._devices = found.notes, len(found.home.devices)
        if await asyncio.to_thread(_write_if_new, self._file, as_yaml(found.home)):
            log.info("home assistant: %d devices in %d areas", len(found.home.devices), len(found.home.areas))
            try:
                await bus.reload()
            except AssistantError as error:  # the old home stays in use; the next change tries again
                log.warning("home assistant: its home is not used: %s", error)
        self.imports += 1

    def _token(self) -> str:
        """Read anew for each connection. Raises ConfigError."""
        return read_secret(self._settings.token_file or "", "home_assistant.token_file")


def _own_home(config: Config) -> Home | None:
    """The user's own home, whose lists and place are kept; one that is broken counts as none."""
    named = config.home.file
    places = (user_config_folder(os.environ) / HOME_FILE, SYSTEM_FOLDER / HOME_FILE)
    path = Path(named).expanduser() if named else next((place for place in places if place.is_file()), places[0])
    try:
        return load_home(path)
    except AssistantError:
        return None


def _write_if_new(file: Path, text: str) -> bool:
    """Write a file whole or not at all; False where it holds exactly this. Raises StorageError."""
    try:
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return False
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, text.encode(), PRIVATE)
    except OSError as error:
        raise StorageError(error.strerror or str(error), where=str(file), remedy="check paths.state") from error
    return True
