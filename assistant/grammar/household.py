"""A home as its people described it: areas, devices, scenes, lists of their own.

    Home ─┬─ areas: Area (floor, aliases)      devices: Device (domain, area, aliases)
          └─ scenes: Scene                     lists: NamedList

`assistant.grammar.home` reads one from home.yaml. Values of slots are canonical names: `Device.name`, or `full_name`
("kitchen ceiling light") where the sentence said which, or a shared wording ("lamp") that several devices have: which
of them is meant is then to be asked (`Device.is_called`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

EMPTY: Mapping[str, Any] = MappingProxyType({})

EVERYWHERE = "all"
"""Value of the slot `area` for the whole home ("all the lights")."""

DOMAINS = ("light", "switch", "fan", "cover", "climate", "media_player", "lock")
COVER_CLASSES = ("awning", "blind", "curtain", "door", "garage", "gate", "shade", "shutter", "window")
CONFIRMED_CLASSES = ("door", "garage", "gate")
"""Covers that let somebody in: moving one is asked about first, as any lock is, unless the device says otherwise."""


@dataclass(frozen=True, slots=True)
class Area:
    """A room or another part of the home. line: where it stands in home.yaml."""

    name: str
    aliases: tuple[str, ...] = ()
    floor: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """Something that can be switched, set or asked.

    id: as the outside knows it ("light.sink"). area: an Area's name, "" for none.
    kind: of a cover, one of COVER_CLASSES.
    full_name: a name that no other device has; `name` itself where that is so. confirm: ask before acting on it.
    """

    id: str
    name: str
    domain: str
    aliases: tuple[str, ...] = ()
    area: str = ""
    kind: str = ""
    full_name: str = ""
    confirm: bool = False
    line: int = 0

    def is_called(self, name: str) -> bool:
        """Whether `name`, the value of a slot, can mean this device."""
        own = (self.name, self.full_name, *self.aliases)
        return folded(name) in {folded(wording) for name in own for wording in (name, f"{self.area} {name}")}


@dataclass(frozen=True, slots=True)
class Scene:
    """A state of many devices that has a name. states: what it sets, by device id; empty where it is to be learned."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    line: int = 0
    states: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list of things to do or to take along, besides the shopping list."""

    name: str
    aliases: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Home:
    """All of it. here: the area in which the assistant stands, "" if not said. fahrenheit: how temperatures are meant.

    file: where it was read. Names are unique where they must be: areas, floors, scenes, lists, devices of one area.
    """

    areas: tuple[Area, ...] = ()
    devices: tuple[Device, ...] = ()
    scenes: tuple[Scene, ...] = ()
    lists: tuple[NamedList, ...] = ()
    here: str = ""
    fahrenheit: bool = False
    file: str = ""

    def scene(self, name: str) -> Scene | None:
        """The scene of this name."""
        return next((scene for scene in self.scenes if folded(name) in map(folded, (scene.name, *scene.aliases))), None)

    def areas_of(self, floor: str) -> frozenset[str]:
        """Names of the areas on a floor."""
        return frozenset(area.name for area in self.areas if folded(area.floor) == folded(floor))


def folded(name: str) -> str:
    """A name as it is compared: case and runs of spaces do not matter."""
    return " ".join(name.casefold().split())
