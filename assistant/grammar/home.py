"""home.yaml read and checked: the user's areas, devices, scenes and lists as a `Home`.

Everything that is wrong is said at once, with file, line and the nearest right name. Names are plain words, not
templates. The same name may be used in several areas ("ceiling light"); "in the kitchen" or an answer tells them apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import Meta, Struct

from assistant.errors import InputError
from assistant.grammar.household import (
    CONFIRMED_CLASSES,
    COVER_CLASSES,
    DOMAINS,
    EVERYWHERE,
    Area,
    Device,
    Home,
    NamedList,
    Scene,
    folded,
)
from assistant.grammar.places import ContextFaults, Faults, Located, did_you_mean, read_yaml
from assistant.grammar.scenes import StateSpec, scene_states
from assistant.grammar.schema import read
from assistant.grammar.tree import Place

HOME_FILE = "home.yaml"
MAX_WORDS = 8
"""Longer names are refused: nobody says them, and they are mostly a description in the wrong place."""

SHOPPING = "shopping"
"""The list that every home has."""
GENERIC = ("light", "lights", "blinds", "curtains", "shutters", "shades")
"""What already means all such devices of a room; a device may be called so only where it has an area."""

Names = Annotated[list[str], Meta(description="other names for it, as people say them")]


class AreaSpec(Struct, frozen=True):
    """An area; one that needs only a name is written as just that."""

    name: Annotated[str, Meta(description="as it is said: kitchen")]
    aliases: Names = []
    floor: Annotated[str, Meta(description="the floor that it is on, as it is said: upstairs")] = ""


class DeviceSpec(Struct, frozen=True):
    """A device."""

    name: Annotated[str, Meta(description="as it is said, without its area: ceiling light")]
    id: Annotated[str, Meta(description="its identity outside, e.g. in Home Assistant: light.kitchen_ceiling")] = ""
    domain: Annotated[str, Meta(description=f"{', '.join(DOMAINS)}; may be left out where the id begins with it")] = ""
    area: Annotated[str, Meta(description="one of the areas")] = ""
    aliases: Names = []
    kind: Annotated[str, Meta(description=f"of a cover: {', '.join(COVER_CLASSES)}")] = ""
    confirm: Annotated[
        Union[bool, None], Meta(description="ask before acting; unless said, so for locks, garage doors, doors, gates")
    ] = None


class SceneSpec(Struct, frozen=True):
    """A scene; one that needs only a name is written as just that."""

    name: Annotated[str, Meta(description="as it is said: movie night")]
    id: Annotated[str, Meta(description="its identity outside, e.g. scene.movie_night")] = ""
    aliases: Names = []
    states: Annotated[
        list[StateSpec], Meta(description="what it does; without, it does what “save this as …” was said to")
    ] = []


class _SceneOutline(Struct, frozen=True):
    """The same with states that are checked one by one."""

    name: str
    id: str = ""
    aliases: Names = []
    states: list[Any] = []


class ListSpec(Struct, frozen=True):
    """A list of things besides the shopping list; one that needs only a name is written as just that."""

    name: Annotated[str, Meta(description="as it is said before the word list: packing")]
    aliases: Names = []


class HomeFile(Struct, frozen=True):
    """The areas, devices, scenes and lists of a home, as its people call them."""

    areas: Annotated[list[Union[str, AreaSpec]], Meta(description="rooms and other places")] = []
    devices: Annotated[list[DeviceSpec], Meta(description="what can be switched, set or asked")] = []
    scenes: Annotated[list[Union[str, SceneSpec]], Meta(description="states of many devices that have a name")] = []
    lists: Annotated[list[Union[str, ListSpec]], Meta(description="lists besides the shopping list")] = []
    here: Annotated[
        str, Meta(description="the area where the assistant stands: what “the lights” means without a room")
    ] = ""
    temperature: Annotated[
        Literal["celsius", "fahrenheit"], Meta(description="how temperatures are meant when they are said")
    ] = "celsius"


class _Outline(Struct, frozen=True):
    """The same with items that are checked one by one, so that each fault has its line."""

    areas: list[Any] = []
    devices: list[Any] = []
    scenes: list[Any] = []
    lists: list[Any] = []
    here: str = ""
    temperature: Literal["celsius", "fahrenheit"] = "celsius"


def json_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of home.yaml."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": HOME_FILE}
    whole = msgspec.json.schema(HomeFile)
    for definition in whole["$defs"].values():
        definition["additionalProperties"] = False
    device = whole["$defs"]["DeviceSpec"]["properties"]
    device["domain"]["enum"] = ["", *DOMAINS]
    device["kind"]["enum"] = ["", *COVER_CLASSES]
    return schema | whole


def load_home(path: Path) -> Home:
    """Read and check home.yaml. Raises InputError if there is none, ContextFaults with everything that is wrong."""
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), remedy="`assistant home new` writes an example")
    faults = Faults()
    located = read_yaml(path, path.name, faults)
    home = _Reader(path.name, faults).home(located) if located is not None else Home()
    if faults:
        raise ContextFaults(str(path.parent), faults)
    return replace(home, file=str(path))


class _Reader:
    def __init__(self, file: str, faults: Faults) -> None:
        self._file = file
        self._faults = faults

    def home(self, located: Located) -> Home:
        outline = read(located, _Outline, self._faults, HOME_FILE)
        if outline is None:
            return Home()
        areas = tuple(self._areas(self._items(located, "areas")))
        devices = self._devices(self._items(located, "devices"), areas)
        scenes = tuple(self._scenes(self._items(located, "scenes"), devices))
        lists = tuple(self._lists(self._items(located, "lists")))
        self._compare_scenes(scenes, devices)
        here = self._known_area(outline.here, areas, located.keys.get("here", located.place)) if outline.here else ""
        return Home(areas, devices, scenes, lists, here, outline.temperature == "fahrenheit")

    def _items(self, located: Located, key: str) -> list[Located]:
        """The items of a list; what is a mere name becomes a mapping with that name."""
        found = located.value.get(key)
        if found is None or not isinstance(found.value, list):
            return []
        return [
            item if isinstance(item.value, dict) else Located({"name": item}, item.place, {"name": item.place})
            for item in found.value
        ]

    # -- areas, scenes, lists ------------------------------------------------------------------------------------------

    def _areas(self, items: list[Located]) -> Iterator[Area]:
        taken: dict[str, int] = {EVERYWHERE: 0}
        for item in items:
            spec = read(item, AreaSpec, self._faults, "an area")
            if spec is None or not self._names(item, spec.name, spec.aliases, "area", taken):
                continue
            floor = spec.floor.strip()
            if floor and not self._is_plain(floor, item.value["floor"].place, "floor"):
                continue
            yield Area(_tidy(spec.name), _tidied(spec.aliases), _tidy(floor), item.place.line)

    def _scenes(self, items: list[Located], devices: tuple[Device, ...]) -> Iterator[Scene]:
        taken: dict[str, int] = {}
        for item in items:
            spec = read(item, _SceneOutline, self._faults, "a scene")
            if spec is not None and self._names(item, spec.name, spec.aliases, "scene", taken):
                name = _tidy(spec.name)
                states = scene_states(name, self._items(item, "states"), devices, self._faults)
                id_ = spec.id or f"scene.{_slug(name)}"
                yield Scene(id_, name, _tidied(spec.aliases), item.place.line, states)

    def _lists(self, items: list[Located]) -> Iterator[NamedList]:
        taken: dict[str, int] = {SHOPPING: 0}
        for item in items:
            spec = read(item, ListSpec, self._faults, "a list")
            if spec is not None and self._names(item, spec.name, spec.aliases, "list", taken):
                yield NamedList(_tidy(spec.name), _tidied(spec.aliases), item.place.line)

    def _names(self, item: Located, name: str, aliases: list[str], what: str, taken: dict[str, int]) -> bool:
        """Check the names of one thing and note them in `taken` with their line; False if one of them will not do."""
        good = True
        for own in dict.fromkeys((name, *aliases)):
            if not self._is_plain(own, item.place, what):
                good = False
            elif folded(own) in taken:
                line = taken[folded(own)]
                where = f"first in line {line}" if line else "every home has it"
                self._add(item, f"{what} '{own}' is there twice ({where})", "give one of them another name")
                good = False
            else:
                taken[folded(own)] = item.place.line
        return good

    def _is_plain(self, name: str, place: Place, what: str) -> bool:
        """Whether a name is words that can be said."""
        words = name.split()
        sign = re.search(r"[^\w\s'’.&+-]|_", name)
        if not words:
            self._faults.add(place, f"a {what} has an empty name")
        elif sign is not None:
            self._faults.add(place, f"the name '{name}' has '{sign[0]}' in it", "write it as it is said, in words")
        elif len(words) > MAX_WORDS:
            self._faults.add(place, f"the name '{name}' has {len(words)} words", f"use at most {MAX_WORDS}")
        else:
            return True
        return False

    def _known_area(self, name: str, areas: tuple[Area, ...], place: Place) -> str:
        """The area called `name`; a fault and "" if there is none."""
        for area in areas:
            if folded(name) in map(folded, (area.name, *area.aliases)):
                return area.name
        names = [own for area in areas for own in (area.name, *area.aliases)]
        hint = did_you_mean(name, names)
        self._faults.add(place, f"there is no area '{name}'{hint}", "" if hint else "add it under areas:")
        return ""

    # -- devices -------------------------------------------------------------------------------------------------------

    def _devices(self, items: list[Located], areas: tuple[Area, ...]) -> tuple[Device, ...]:
        known = {folded(own): area.name for area in areas for own in (area.name, *area.aliases)}
        read_devices = [device for item in items if (device := self._device(item, areas, known)) is not None]
        self._compare_names(read_devices)
        named = _with_full_names(read_devices)
        self._compare_ids(named)
        return tuple(named)

    def _device(self, item: Located, areas: tuple[Area, ...], known: dict[str, str]) -> Device | None:
        spec = read(item, DeviceSpec, self._faults, "a device")
        if spec is None:
            return None
        place = item.place
        plain = [self._is_plain(name, place, "device") for name in (spec.name, *spec.aliases)]  # every one is reported
        good = all(plain)
        domain = spec.domain or spec.id.partition(".")[0]
        if domain not in DOMAINS:
            what = f"has the domain '{domain}'" if domain else "has no domain"
            self._add(
                item,
                f"device '{spec.name}' {what}{did_you_mean(domain, DOMAINS)}",
                f"give it one of: {', '.join(DOMAINS)}",
            )
            good = False
        if spec.kind and spec.kind not in COVER_CLASSES:
            hint = did_you_mean(spec.kind, COVER_CLASSES)
            self._add(item, f"'{spec.kind}' is no kind of cover{hint}", f"use one of: {', '.join(COVER_CLASSES)}")
            good = False
        area = ""
        if spec.area:
            area = known.get(folded(spec.area), "") or self._known_area(spec.area, areas, item.value["area"].place)
        if not good or (spec.area and not area):
            return None
        confirm = domain == "lock" or spec.kind in CONFIRMED_CLASSES if spec.confirm is None else spec.confirm
        name = _tidy(spec.name)
        return Device(spec.id, name, domain, _tidied(spec.aliases), area, spec.kind, name, confirm, place.line)

    def _compare_names(self, devices: list[Device]) -> None:
        """Two devices of one area need different names; what one is also called may be what others are called too."""
        first: dict[tuple[str, str], Device] = {}
        for device in devices:
            key = folded(device.name), device.area
            other = first.setdefault(key, device)
            if other is not device:
                where = f"in area '{device.area}'" if device.area else "without an area"
                what = f"two devices {where} are called '{device.name}' (first in line {other.line})"
                remedy = "give one of them another name" if device.area else "say in which area each is"
                self._faults.add(Place(self._file, device.line), what, remedy)
            if folded(device.name) in GENERIC and not device.area:
                what = f"'{device.name}' already means all such devices of a room"
                self._faults.add(Place(self._file, device.line), what, "say in which area it is, or use a longer name")
        names = {name: device for (name, _), device in first.items()}
        for device in devices:
            other = names.get(folded(f"{device.area} {device.name}"), device)
            if device.area and other is not device:
                what = f"'{device.name}' in area '{device.area}' sounds like '{other.name}' (line {other.line})"
                self._faults.add(Place(self._file, device.line), what, "give one of them another name")
            for alias in device.aliases:
                other = first.get((folded(alias), device.area), device)
                if other is not device:
                    what = f"'{alias}' is also the name of the device in line {other.line}"
                    self._faults.add(
                        Place(self._file, device.line), what, "leave the alias out, or name that one more fully"
                    )

    def _compare_ids(self, devices: list[Device]) -> None:
        first: dict[str, Device] = {}
        for device in devices:
            other = first.setdefault(device.id, device)
            if other is not device and other.full_name != device.full_name:  # the same name is a fault already
                what = f"the id '{device.id}' is there twice (first in line {other.line})"
                self._faults.add(Place(self._file, device.line), what, "every device has an id of its own")

    def _compare_scenes(self, scenes: tuple[Scene, ...], devices: tuple[Device, ...]) -> None:
        names = {folded(own): device for device in devices for own in (device.name, *device.aliases)}
        for scene in scenes:
            for own in (scene.name, *scene.aliases):
                if folded(own) in names:
                    what = f"scene '{own}' has the name of the device in line {names[folded(own)].line}"
                    self._faults.add(Place(self._file, scene.line), what, "give one of them another name")

    def _add(self, item: Located, what: str, remedy: str) -> None:
        self._faults.add(item.place, what, remedy)


def _with_full_names(devices: list[Device]) -> list[Device]:
    """Devices with unique full names and ids: a name that others share gets its area before it."""
    counts = Counter(folded(device.name) for device in devices)
    named = []
    for device in devices:
        full = device.name
        if counts[folded(full)] > 1 and device.area:
            full = f"{device.area} {device.name}"
        named.append(replace(device, full_name=full, id=device.id or f"{device.domain}.{_slug(full)}"))
    return named


def _tidy(name: str) -> str:
    return " ".join(name.replace("’", "'").split())


def _tidied(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_tidy, names)))


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name.casefold()).strip("_")
