"""Which devices a sentence means. An unclear name asks; what was not found never widens to a room or to the house.

slots ─► resolve ─┬─ Found      these: act
                  ├─ Unclear    one of these: ask which, or whether it is this one
                  ├─ Unsaid     the sentence does not say which: ask
                  └─ Missing    there is none: say so
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Union

from assistant.grammar.household import CONFIRMED_CLASSES, EVERYWHERE, Area, Device, Home, folded
from assistant.grammar.tree import Choice, Context, ListValue, Node, Sequence, Text, TextList

NEAR = 0.75
"""How alike (difflib's ratio, 0..1) a name must be to be asked about."""

MOST_ASKED = 4
"""More devices are not named in a question."""

_MOST_WORDINGS = 48

_KINDS: Mapping[str, str] = MappingProxyType(
    {"climate": "thermostat", "cover": "blind or door", "garage": "garage door", "media_player": "player"}
)


@dataclass(frozen=True, slots=True)
class Found:
    """These devices are meant, at least one; `named`: the sentence named one, and no group."""

    devices: tuple[Device, ...]
    named: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """One of these devices may be meant; a single one is only called alike, or stands elsewhere."""

    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Unsaid:
    """The sentence does not say which of these; what: their kind."""

    what: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """There is none; what: in the words of an answer ("light in the kitchen")."""

    what: str


Resolved = Union[Found, Unclear, Unsaid, Missing]


def resolve(home: Home, slots: Mapping[str, Any], domains: Iterable[str] = ()) -> Resolved:
    """Which devices the slots `device_id`, `name`, `area`, `floor`, `domain` and `device_class` mean.

    domains: only these can do what is asked; () for all.
    """
    if slots.get("device_id") is not None:
        exact = tuple(device for device in home.devices if device.id == slots["device_id"])
        return Found(exact, named=True) if exact else Missing("such device")
    able = frozenset(domains)
    pool = tuple(device for device in home.devices if (not able or device.domain in able) and _is_kind(device, slots))
    name = _text(slots, "name")
    if name and folded(name) != EVERYWHERE:
        return _named(home, pool, slots, name)
    return _group(home, pool, slots)


def full_name(device: Device) -> str:
    """The name by which nothing else goes: "kitchen lamp"."""
    return device.full_name or device.name


def home_of(context: Context) -> Home:
    """The home of a context: the user's own, or else what its lists `name` and `area` hold.

    There `context: {domain: …, area: …}` says what a value is.
    """
    if context.home is not None:
        return context.home
    names, areas = context.lists.get("name"), context.lists.get("area")
    devices = {d.id: d for d in map(_device, names.values)} if isinstance(names, TextList) else {}
    rooms = areas.values if isinstance(areas, TextList) else ()
    return Home(
        tuple(
            Area(str(room.value), tuple(_wordings(room.node)), str(room.context.get("floor", "")))
            for room in rooms
            if room.value != EVERYWHERE
        ),
        tuple(devices.values()),
    )


def _named(home: Home, pool: tuple[Device, ...], slots: Mapping[str, Any], name: str) -> Resolved:
    called = tuple(device for device in pool if device.is_called(name))
    here = tuple(device for device in called if _is_in(home, device, slots))
    if len(here) == 1:
        return Found(here, named=True)
    if here or called:
        return Unclear(here or called)
    known = {folded(own): device for device in pool for own in (device.name, device.full_name, *device.aliases)}
    near = difflib.get_close_matches(folded(name), known, n=MOST_ASKED, cutoff=NEAR)
    if near:
        return Unclear(tuple({known[own].id: known[own] for own in near}.values()))
    return Missing(f"device called {name}")


def _group(home: Home, pool: tuple[Device, ...], slots: Mapping[str, Any]) -> Resolved:
    area, floor = _text(slots, "area"), _text(slots, "floor")
    what = _text(slots, "device_class") or _text(slots, "domain")
    if not (area or floor):
        near = tuple(device for device in pool if home.here and folded(device.area) == folded(home.here))
        if what and (near or len(pool) == 1):
            return Found(near or pool, named=False)
        return Unsaid(what or "device", pool) if pool else Missing(plain_kind(what) or "device")
    here = tuple(device for device in pool if _is_in(home, device, slots))
    if not what:  # "everything in the kitchen" is nothing that anybody says by mistake only once
        return Unsaid("device", here) if here else Missing(f"device in the {area or floor}")
    if here:
        return Found(here, named=False)
    return Missing(plain_kind(what) if area == EVERYWHERE else f"{plain_kind(what)} in the {area or floor}")


def _is_in(home: Home, device: Device, slots: Mapping[str, Any]) -> bool:
    area, floor = _text(slots, "area"), _text(slots, "floor")
    if floor and device.area not in home.areas_of(floor):
        return False
    if not area or area == EVERYWHERE:
        return True
    aliases = {folded(own.name): own.aliases for own in home.areas}.get(folded(device.area), ())
    return folded(area) in {folded(device.area), *map(folded, aliases)}


def _is_kind(device: Device, slots: Mapping[str, Any]) -> bool:
    return all(
        not _texts(slots.get(slot)) or own in _texts(slots.get(slot))
        for slot, own in (("domain", device.domain), ("device_class", device.kind))
    )


def plain_kind(what: str) -> str:
    """A domain or device class as people call it."""
    return _KINDS.get(what, what.replace("_", " "))


def _text(slots: Mapping[str, Any], slot: str) -> str:
    value = slots.get(slot)
    return value[0] if isinstance(value, (list, tuple)) and value else str(value or "")


def _texts(value: Any) -> frozenset[str]:
    if isinstance(value, (list, tuple)):
        return frozenset(map(str, value))
    return frozenset({str(value)}) if value else frozenset()


def _device(value: ListValue) -> Device:
    name, about = str(value.value), value.context
    area, domain = str(about.get("area", "")), str(about.get("domain", "switch"))
    kind = str(about.get("device_class", ""))
    return Device(
        id=str(about.get("id") or (f"{domain}/{area}/{name}" if area else f"{domain}/{name}")),
        name=name,
        domain=domain,
        aliases=tuple(_wordings(value.node)),
        area=area,
        kind=kind,
        full_name=f"{area} {name}" if area and folded(area) not in folded(name) else name,
        confirm=bool(about.get("confirm", domain == "lock" or kind in CONFIRMED_CLASSES)),
    )


def _wordings(node: Node) -> list[str]:
    """The ways to say a value; one with rules in it is known by its canonical name only."""
    if isinstance(node, Text):
        return [node.text]
    if isinstance(node, Choice):
        return [words for item in node.items for words in _wordings(item)][:_MOST_WORDINGS]
    if isinstance(node, Sequence):
        wordings = [""]
        for item in node.items:
            wordings = [before + after for before in wordings for after in _wordings(item)][:_MOST_WORDINGS]
        return wordings
    return []
