"""Exchanges the rooms that run all the time for cheap ones, and back, as the scheduler says: while nobody speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from assistant.cli.assembly import build_front_end, build_listener
from assistant.cli.scheduling import spared

if TYPE_CHECKING:
    from assistant.cli.mouth import Mouth
    from assistant.config import Config
    from assistant.pipeline import Conversation


class Ambience:
    """Called with whether to spare, every few seconds. config: what is configured now; it may be read again meanwhile.

    The conversation takes the new rooms with the first frame before which nobody speaks; the voice changes while it is
    silent.
    """

    def __init__(self, config: Callable[[], Config], conversation: Conversation, channels: int, mouth: Mouth) -> None:
        self._config, self._conversation, self._channels, self._mouth = config, conversation, channels, mouth
        self._spares: Config | None = None
        self._quick: Config | None = None

    def __call__(self, sparing: bool) -> None:  # noqa: FBT001 - the one thing that it is told
        configured = self._config()
        wanted = configured if sparing and configured.schedule.ambient else None
        rooms = configured if wanted is None else spared(configured)
        if wanted is not self._spares:
            if (rooms.listen.vad, rooms.audio.frontend) != self._heard_by(configured):
                self._conversation.exchange(build_front_end(rooms, self._channels), build_listener(rooms))
            self._spares = wanted
        if wanted is not self._quick and not self._mouth.speaking():
            if rooms.speak != (configured if self._quick is None else spared(self._quick)).speak:
                self._mouth.renew(rooms)
            self._quick = wanted

    def _heard_by(self, configured: Config) -> tuple[str, str]:
        """What listens now: a configuration that was read again has taken its place already."""
        now = configured if self._spares is not configured else spared(configured)
        return now.listen.vad, now.audio.frontend
