"""Home Assistant's registries as a home: its areas, devices and names, made so that each can be said and told apart.

    areas ───┐                      names without signs, in the case in which they are spoken;
    floors ──┤                      names without their area ("Kitchen Lamp" in Kitchen is the lamp there);
    devices ─┼─► imported ─► Home   of two that sound alike the second is told apart by a number;
    entities ┤                      what cannot be said at all is left out
    states ──┘

What comes out always passes `assistant.grammar.home.load_home`, whatever came in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.grammar.home import GENERIC, MAX_WORDS
from assistant.grammar.household import COVER_CLASSES, EVERYWHERE, Area, Device, Home, Scene, folded

DOMAINS: Mapping[str, str] = {
    "light": "light",
    "switch": "switch",
    "input_boolean": "switch",
    "fan": "fan",
    "cover": "cover",
    "climate": "climate",
    "media_player": "media_player",
    "lock": "lock",
}
"""By domain of Home Assistant, ours."""

MOST_DEVICES = 1_000
"""More make the context too large to be heard well, and are left out."""
MOST_ALIASES = 8

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Registry:
    """What Home Assistant's WebSocket API lists, as it came: rows with keys such as `entity_id`.

    exposed: ids of the entities that Assist may use, None where that does not matter. fahrenheit: its unit system.
    """

    areas: Sequence[Row] = ()
    floors: Sequence[Row] = ()
    devices: Sequence[Row] = ()
    entities: Sequence[Row] = ()
    states: Sequence[Row] = ()
    exposed: frozenset[str] | None = None
    fahrenheit: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """The home, and in words what was left out or got another name."""

    home: Home
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Names:
    """What is taken. by_area: folded names and aliases of devices by area; everywhere: those and "AREA NAME"."""

    by_area: dict[str, set[str]] = field(default_factory=dict)
    everywhere: set[str] = field(default_factory=set)


def imported(registry: Registry, own: Home | None = None, here: str = "") -> Imported:
    """The home that a registry describes. own: the user's, whose lists and place are kept. here: an area's name."""
    notes: list[str] = []
    areas, area_names = _areas(registry, notes)
    devices = tuple(_devices(registry, area_names, notes))
    scenes = tuple(_scenes(registry, devices, notes))
    place = here or (own.here if own is not None else "")
    known = {folded(name): area.name for area in areas for name in (area.name, *area.aliases)}
    if place and folded(place) not in known:
        notes.append(f"there is no area {place!r} to be in")
    lists = own.lists if own is not None else ()
    home = Home(areas, devices, scenes, lists, known.get(folded(place), ""), registry.fahrenheit)
    return Imported(home, tuple(notes))


def as_yaml(home: Home) -> str:
    """The home as a home.yaml, which `load_home` reads."""
    parts: Mapping[str, Iterable[Row]] = {
        "areas": (_row(name=area.name, aliases=area.aliases, floor=area.floor) for area in home.areas),
        "devices": (
            _row(name=d.name, id=d.id, domain=d.domain, area=d.area, aliases=d.aliases, kind=d.kind)
            for d in home.devices
        ),
        "scenes": (_row(name=scene.name, id=scene.id, aliases=scene.aliases) for scene in home.scenes),
        "lists": (_row(name=named.name, aliases=named.aliases) for named in home.lists),
    }
    lines = ["# Made from Home Assistant, and made again whenever something changes there: edit it there."]
    for part, rows in parts.items():
        lines += ["", f"{part}:"]
        lines += ["  - {" + ", ".join(f"{key}: {_quoted(value)}" for key, value in row.items()) + "}" for row in rows]
    lines += ["", f"here: {_quoted(home.here)}", f"temperature: {'fahrenheit' if home.fahrenheit else 'celsius'}"]
    return "\n".join(lines) + "\n"


def spoken(name: Any) -> str:
    """A name as it is said: without signs, "Bed Light" as "bed light" (but "TV" stays), "" where nothing is left."""
    if not isinstance(name, str):
        return ""
    plain = re.sub(r"[^\w\s'’.&+-]|_", " ", name).replace("’", "'")
    words = plain.split()
    if not any(re.search(r"\w", word) for word in words) or len(words) > MAX_WORDS:
        return ""
    return " ".join(word.lower() if word[1:] == word[1:].lower() else word for word in words)


# -- areas -------------------------------------------------------------------------------------------------------------


def _areas(registry: Registry, notes: list[str]) -> tuple[tuple[Area, ...], dict[str, str]]:
    """The areas, and by Home Assistant's id the name of each."""
    floors = {str(row.get("floor_id")): spoken(row.get("name")) for row in registry.floors}
    taken, names = {EVERYWHERE}, {}
    areas: list[tuple[Area, Row]] = []
    for row in registry.areas:
        name = _free(spoken(row.get("name")), taken)
        if not name:
            notes.append(f"area {row.get('name')!r} cannot be said and is left out")
            continue
        taken.add(folded(name))
        names[str(row.get("area_id"))] = name
        areas.append((Area(name, (), floors.get(str(row.get("floor_id")), "")), row))
    return tuple(_with_aliases(area, row, taken) for area, row in areas), names


def _with_aliases(area: Area, row: Row, taken: set[str]) -> Area:
    aliases = [alias for alias in _aliases(row) if folded(alias) not in taken]
    taken.update(map(folded, aliases))
    return replace(area, aliases=tuple(aliases))


# -- devices -----------------------------------------------------------------------------------------------------------


def _devices(registry: Registry, areas: Mapping[str, str], notes: list[str]) -> Iterator[Device]:
    entries = {str(row.get("entity_id")): row for row in registry.entities}
    hardware = {str(row.get("id")): row for row in registry.devices}
    names = _Names()
    found: list[tuple[Device, Row]] = []
    for state in registry.states:
        id_ = str(state.get("entity_id"))
        domain = DOMAINS.get(id_.partition(".")[0])
        entry = entries.get(id_, {})
        if domain is None or not _is_wanted(id_, entry, registry.exposed):
            continue
        if len(found) == MOST_DEVICES:
            notes.append(f"more than {MOST_DEVICES} devices: expose fewer to Assist")
            break
        device_row = hardware.get(str(entry.get("device_id")), {})
        area = areas.get(str(entry.get("area_id") or device_row.get("area_id")), "")
        attributes = _attributes(state)
        said = str(entry.get("name") or attributes.get("friendly_name") or entry.get("original_name") or "")
        name = _named(said, area, id_, names)
        if not name:
            notes.append(f"{id_}: {said!r} cannot be said and is left out; give it an alias or another name")
            continue
        if folded(name) not in (folded(spoken(said)), folded(_within(spoken(said), area))):
            notes.append(f"{id_} is called {name!r}, because others have its name")
        kind = str(attributes.get("device_class") or "")
        device = Device(id_, name, domain, (), area, kind if domain == "cover" and kind in COVER_CLASSES else "")
        _take(device.name, area, names)
        found.append((device, entry))
    for device, entry in found:
        yield replace(device, aliases=tuple(_device_aliases(device, entry, names)))


def _is_wanted(id_: str, entry: Row, exposed: frozenset[str] | None) -> bool:
    if entry.get("hidden_by") or entry.get("disabled_by") or entry.get("entity_category"):
        return False
    return exposed is None or id_ in exposed


def _named(said: str, area: str, id_: str, names: _Names) -> str:
    """A name that nothing else in the area has: without the area, whole, as the id has it, or with a number."""
    whole = spoken(said)
    by_id = spoken(id_.partition(".")[2])
    for name in (_within(whole, area), whole, _within(by_id, area), by_id):
        if name and _is_free(name, area, names):
            return name
    base = whole or by_id
    return next((name for name in _numbered(base) if _is_free(name, area, names)), "") if base else ""


def _within(name: str, area: str) -> str:
    """A name without the area before it, "" where nothing is left."""
    if area and folded(name).startswith(f"{folded(area)} "):
        return " ".join(name.split()[len(area.split()) :])
    return name


def _is_free(name: str, area: str, names: _Names) -> bool:
    key = folded(name)
    if key in GENERIC and not area:
        return False
    full = folded(f"{area} {name}")
    return (
        key not in names.by_area.get(area, ())
        and not (area and full in names.everywhere)
        and (area != "" or key not in names.everywhere)
        and not _is_said_elsewhere(key, names)
    )


def _is_said_elsewhere(key: str, names: _Names) -> bool:
    """Whether a name is what "AREA NAME" says of another device."""
    return any(area and key == f"{folded(area)} {other}" for area, taken in names.by_area.items() for other in taken)


def _take(name: str, area: str, names: _Names) -> None:
    names.by_area.setdefault(area, set()).add(folded(name))
    names.everywhere.add(folded(name))


def _device_aliases(device: Device, entry: Row, names: _Names) -> Iterator[str]:
    own = names.by_area.setdefault(device.area, set())
    for alias in _aliases(entry):
        short = _within(alias, device.area) or alias
        if folded(short) not in own and folded(short) not in names.everywhere:
            yield short
            own.add(folded(short))


# -- scenes ------------------------------------------------------------------------------------------------------------


def _scenes(registry: Registry, devices: Iterable[Device], notes: list[str]) -> Iterator[Scene]:
    entries = {str(row.get("entity_id")): row for row in registry.entities}
    taken = {folded(name) for device in devices for name in (device.name, *device.aliases)}
    for state in registry.states:
        id_ = str(state.get("entity_id"))
        entry = entries.get(id_, {})
        if not id_.startswith("scene.") or not _is_wanted(id_, entry, registry.exposed):
            continue
        name = _free(spoken(entry.get("name") or _attributes(state).get("friendly_name")), taken)
        if not name:
            notes.append(f"{id_} cannot be said and is left out")
            continue
        taken.add(folded(name))
        aliases = [alias for alias in _aliases(entry) if folded(alias) not in taken]
        taken.update(map(folded, aliases))
        yield Scene(id_, name, tuple(aliases))


# -- both --------------------------------------------------------------------------------------------------------------


def _aliases(row: Row) -> list[str]:
    found = row.get("aliases")
    names = [spoken(alias) for alias in found] if isinstance(found, (list, tuple, set)) else []
    return list({folded(name): name for name in sorted(names) if name}.values())[:MOST_ALIASES]


def _attributes(state: Row) -> Row:
    found = state.get("attributes")
    return found if isinstance(found, Mapping) else {}


def _free(name: str, taken: Collection[str]) -> str:
    """`name`, or with the first number that makes it another; "" stays."""
    return next((one for one in _numbered(name) if folded(one) not in taken), "") if name else ""


def _numbered(name: str) -> Iterator[str]:
    yield name
    short = " ".join(name.split()[: MAX_WORDS - 1])
    for number in range(2, 2 + MOST_DEVICES):
        yield f"{short} {number}"


def _row(**values: Any) -> dict[str, Any]:
    """A row of home.yaml, without what is empty."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value}


def _quoted(value: Any) -> str:
    """A value as YAML that cannot be taken for a number or a word with a meaning: JSON is such."""
    return json.dumps(value, ensure_ascii=False)
