"""A home to command, a context to command it in, and an assistant with skills whose announcements are kept."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.act.database import Database
from assistant.act.skill import Result, Services
from assistant.act.skills import Skills
from assistant.clock import Clock
from assistant.errors import StorageError
from assistant.grammar.household import Area, Device, Home, Scene
from assistant.grammar.tree import Action, Context, Settings
from assistant.types import EMPTY

PATIENCE_S = 30.0
"""Real seconds after which a test that waits for an announcement that never comes is told so."""

HOME = Home(
    areas=(
        Area("kitchen", floor="downstairs"),
        Area("living room", ("lounge",), "downstairs"),
        Area("bedroom", floor="upstairs"),
        Area("garden"),
    ),
    devices=(
        Device("light.sink", "sink light", "light", ("basin light",), "kitchen"),
        Device("light.kitchen_lamp", "lamp", "light", (), "kitchen", full_name="kitchen lamp"),
        Device("light.bedroom_lamp", "lamp", "light", (), "bedroom", full_name="bedroom lamp"),
        Device("light.wall", "wall light", "light", (), "living room"),
        Device("switch.coffee", "coffee machine", "switch", (), "kitchen"),
        Device("fan.bedroom", "fan", "fan", (), "bedroom"),
        Device("cover.blind", "blind", "cover", (), "living room", "blind"),
        Device("cover.garage", "garage door", "cover", (), "", "garage", confirm=True),
        Device("lock.front", "front door", "lock", (), "", confirm=True),
        Device("climate.living", "thermostat", "climate", (), "living room"),
        Device("media_player.tv", "television", "media_player", ("TV",), "living room"),
    ),
    scenes=(Scene("scene.movie", "movie night"),),
)


def context(actions: Mapping[str, Action] = EMPTY, home: Home | None = HOME) -> Context:
    """A context in which nothing can be said: skills do not care how their request was worded."""
    return Context("test", "", (), EMPTY, EMPTY, EMPTY, actions, Settings(), "0", home=home)


@dataclass
class Assistant:
    """One run of the assistant over a state folder."""

    clock: Clock
    state: Path | None
    boot: str = "boot 1"
    home: Home | None = HOME
    parameters: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.told: list[str] = []
        self.announced: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
        services = Services(self.clock, self.state, self._announce, boot=self.boot)
        self.skills = Skills(services, self.told.append)

    def _announce(self, text: str, *, ring: bool = True) -> None:
        self.announced.put((text, ring))

    def ask(
        self, skill: str, intent: str, *, confirmed: bool = False, response: str = "default", **slots: Any
    ) -> Result:
        """What `skill` makes of an intent."""
        actions = {intent: Action(skill, self.parameters.get(intent, EMPTY))}
        return self.skills.act(context(actions, self.home), intent, slots, response=response, confirmed=confirmed)

    def answer(self, skill: str, intent: str, result: Result, option: int = 0) -> Result:
        """Answer the question in `result` with one of its options."""
        assert result.question is not None
        chosen = result.question.options[option].slots
        return self.ask(skill, intent, confirmed=result.question.confirms, **chosen)

    def heard(self) -> str:
        """The next announcement."""
        return self.announced.get(timeout=PATIENCE_S)[0]


def fill(database: Database, insert: str) -> None:
    """Let the file grow no further, as on a full disk, and use up its room with `insert` of texts, long ones first."""
    database._connection.execute("PRAGMA max_page_count = 1")
    for length in (500, 50, 1):
        with contextlib.suppress(StorageError):
            while True:
                with database.transaction() as connection:
                    connection.execute(insert, ("x" * length,))
