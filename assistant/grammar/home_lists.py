"""What a home lends to a context that asks for it (`home: true`): areas, floors, names, scenes, lists, temperatures.

A device is called by its name, and by name and area: "ceiling light", "kitchen ceiling light", "ceiling light in the
kitchen" (the rule <in_area>, where the context has it). The value is the device's name where it is the only one called
so, its full name where the area was said, and the wording itself where several devices share it: then it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from assistant.grammar.home import GENERIC
from assistant.grammar.household import EMPTY, Area, Device, Home, NamedList, Scene, folded
from assistant.grammar.tree import ListValue, Node, NumberList, Place, RuleRef, Sequence, SlotList, Text, TextList

IN_AREA = "in_area"
"""Rule of a context for what stands between a device and its area: "in [the|my]"."""

TEMPERATURES = {False: (5, 30), True: (40, 90)}
"""Set points that people say, lowest and highest; in Fahrenheit if True."""

DEFAULT_LISTS = (NamedList("to-do", ("to do", "todo")),)


def home_lists(home: Home, file: str, *, with_in_area: bool) -> dict[str, SlotList]:
    """The lists by name. file: how places call home.yaml. with_in_area: the context has the rule <in_area>."""
    place = Place(file, 1)
    low, high = TEMPERATURES[home.fahrenheit]
    owners = _own_devices(home)
    floors = dict.fromkeys(area.floor for area in home.areas if area.floor)
    lists = home.lists or DEFAULT_LISTS
    return {
        "area": TextList("area", tuple(_areas(home.areas, owners, file)), place),
        "floor": TextList("floor", tuple(ListValue(Text(floor), floor, place=place) for floor in floors), place),
        "name": TextList("name", tuple(_devices(home, file, with_in_area=with_in_area)), place),
        "scene": TextList("scene", tuple(_named(home.scenes, file)), place),
        "list": TextList("list", tuple(_named(lists, file)), place),
        "here": TextList("here", tuple(_here(home, place)), place),
        "temperature": NumberList("temperature", low, high, halves=not home.fahrenheit, place=place),
    }


def _areas(areas: Iterable[Area], owners: Mapping[str, Mapping[str, Any]], file: str) -> Iterator[ListValue]:
    for area in areas:
        for wording in (area.name, *area.aliases):
            context = owners.get(folded(wording), EMPTY)
            yield ListValue(Text(wording), area.name, context=context, place=Place(file, max(area.line, 1)))


def _own_devices(home: Home) -> dict[str, Mapping[str, Any]]:
    """Areas before which "light", "blinds" … is the name of one device: "the kitchen light" means that, not the room's.

    Sentences about all of a room leave such an area out by `excludes_context: {own_light: true}`.
    """
    areas = {area.name: area for area in home.areas}
    wordings = {
        folded(wording.words)
        for device in home.devices
        for wording in _wordings(device, areas.get(device.area), with_in_area=False)
    }
    owners: dict[str, Mapping[str, Any]] = {}
    for area in home.areas:
        for own in (area.name, *area.aliases):
            context = {f"own_{noun}": True for noun in GENERIC if folded(f"{own} {noun}") in wordings}
            owners[folded(own)] = MappingProxyType(context)
    return owners


@dataclass(frozen=True, slots=True)
class _Wording:
    """A way to call a device: its words; value: the slot's where no other device is called so, else `shared`."""

    node: Node
    words: str
    value: str
    shared: str


def _devices(home: Home, file: str, *, with_in_area: bool) -> Iterator[ListValue]:
    areas = {area.name: area for area in home.areas}
    said: dict[str, list[tuple[Device, _Wording]]] = {}
    for device in home.devices:
        for wording in _wordings(device, areas.get(device.area), with_in_area=with_in_area):
            said.setdefault(folded(wording.words), []).append((device, wording))
    for meant in said.values():
        values = {wording.value for _, wording in meant}
        value = meant[0][1].value if len(values) == 1 else meant[0][1].shared
        for domain in dict.fromkeys(device.domain for device, _ in meant):
            line = next(device.line for device, _ in meant if device.domain == domain)
            context = MappingProxyType({"domain": domain})
            yield ListValue(meant[0][1].node, value, context=context, place=Place(file, max(line, 1)))


def _wordings(device: Device, area: Area | None, *, with_in_area: bool) -> Iterator[_Wording]:
    """By its name, and with its area before or behind it where the name does not have the area in it already."""
    for own in dict.fromkeys((device.name, *device.aliases)):
        if folded(own) not in GENERIC:
            yield _Wording(Text(own), own, device.name, own)
        for room in (area.name, *area.aliases) if area else ():
            if folded(room) in folded(own):
                continue
            shared = f"{device.area} {own}"
            before = f"{room} {own}"
            yield _Wording(Text(before), before, device.full_name, shared)
            if with_in_area:
                behind = Sequence((Text(f"{own} "), RuleRef(IN_AREA), Text(f" {room}")))
                yield _Wording(behind, f"{own} in {room}", device.full_name, shared)


def _named(things: Iterable[Scene | NamedList], file: str) -> Iterator[ListValue]:
    for thing in things:
        for wording in (thing.name, *thing.aliases):
            yield ListValue(Text(wording), thing.name, place=Place(file, max(thing.line, 1)))


def _here(home: Home, place: Place) -> Iterator[ListValue]:
    for wording in ("here", "in here", "in this room") if home.here else ():
        yield ListValue(Text(wording), home.here, place=place)
