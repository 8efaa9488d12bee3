"""Where devices are and keep their state: a table here (`assistant.act.home`), or a hub that moves real ones.

The skill decides which devices are meant and what is to become of them; a house does it, or says why it could not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.act.states import State
from assistant.grammar.household import Device, Scene

RESTORE = "restore"
"""The operation that takes others back."""


@dataclass(frozen=True, slots=True)
class Move:
    """What is to become of one device. before, after: its whole state; what is not known is not in it."""

    device: Device
    before: State
    after: State

    @property
    def changes(self) -> State:
        """What `after` has and `before` has not, and None for what is only in `before`."""
        gone = {name: None for name in self.before if name not in self.after}
        return {name: value for name, value in self.after.items() if self.before.get(name) != value} | gone

    def back(self) -> Move:
        """The way back."""
        return Move(self.device, self.after, self.before)


class House(Protocol):
    """Devices that can be asked and moved. Every call raises AssistantError where it cannot be done."""

    @property
    def keeps_scenes(self) -> bool:
        """Whether `save` works: "save this as movie night"."""
        ...

    def states(self, devices: Iterable[Device]) -> Mapping[str, State]:
        """What is known of each, by id; an empty state where nothing is."""
        ...

    def move(self, operation: str, moves: Sequence[Move]) -> None:
        """Do `operation` ("on", "set", "next", …, RESTORE) to these devices."""
        ...

    def activate(self, scene: Scene) -> Sequence[Move] | None:
        """Make everything as the scene says; what was moved, as far as that is known. None: the scene is empty."""
        ...

    def save(self, scene: Scene, devices: Iterable[Device]) -> None:
        """Let a scene remember how these devices are now."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
