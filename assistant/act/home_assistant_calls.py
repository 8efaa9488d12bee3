"""Home Assistant's states as ours, and what becomes of a device as its service calls: tables, without a connection.

https://developers.home-assistant.io/docs/core/entity, https://www.home-assistant.io/integrations/light (and the others)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from assistant.act.houses import RESTORE, Move
from assistant.act.states import State

UNREACHABLE = ("unavailable", "unknown")
"""States in which Home Assistant itself does not know a device."""

_FULL = 255


@dataclass(frozen=True, slots=True)
class Call:
    """One service call. entities: ids, at least one."""

    domain: str
    service: str
    entities: tuple[str, ...]
    data: Mapping[str, Any]


def state_of(entity: Mapping[str, Any]) -> State:
    """An entity's state as the skill home knows it; empty where Home Assistant does not know it either."""
    domain, state = str(entity.get("entity_id", "")).partition(".")[0], str(entity.get("state", ""))
    if not state or state in UNREACHABLE:
        return {}
    attributes = entity.get("attributes")
    read = _READERS.get(domain, _switched)
    found = read(state, attributes if isinstance(attributes, Mapping) else {})
    return {name: value for name, value in found.items() if value is not None}


def calls_for(operation: str, moves: Iterable[Move]) -> tuple[Call, ...]:
    """What to call so that each device becomes as its move says; devices with the same call share it, in order."""
    together: dict[tuple[str, str, str], tuple[list[str], Mapping[str, Any]]] = {}
    for move in moves:
        for domain, service, data in _calls(operation, move):
            key = (domain, service, repr(sorted(data.items())))
            together.setdefault(key, ([], data))[0].append(move.device.id)
    return tuple(Call(domain, service, tuple(ids), data) for (domain, service, _), (ids, data) in together.items())


# -- states ------------------------------------------------------------------------------------------------------------


def _switched(state: str, _attributes: Mapping[str, Any]) -> State:
    return {"on": {"on": True, "off": False}.get(state)}


def _light(state: str, attributes: Mapping[str, Any]) -> State:
    on = _switched(state, attributes)
    if state != "on":
        return on
    by_temperature = attributes.get("color_mode") == "color_temp"
    coloured = attributes.get("color_mode") in ("hs", "xy", "rgb", "rgbw", "rgbww")
    brightness = _number(attributes.get("brightness"))
    return {
        **on,
        "brightness": None if brightness is None else round(100 * brightness / _FULL),
        "temperature": _number(attributes.get("color_temp_kelvin")) if by_temperature else None,
        "hs_color": attributes.get("hs_color") if coloured else None,
    }


def _fan(state: str, attributes: Mapping[str, Any]) -> State:
    on = _switched(state, attributes)
    return {**on, "percentage": _number(attributes.get("percentage")) if state == "on" else None}


def _cover(state: str, attributes: Mapping[str, Any]) -> State:
    position = _number(attributes.get("current_position"))
    return {"position": {"open": 100, "closed": 0}.get(state) if position is None else position}


def _lock(state: str, _attributes: Mapping[str, Any]) -> State:
    return {"locked": {"locked": True, "unlocked": False, "open": False}.get(state)}


def _climate(state: str, attributes: Mapping[str, Any]) -> State:
    return {
        "on": state != "off",
        "temperature": _number(attributes.get("temperature")),
        "current_temperature": _number(attributes.get("current_temperature")),
        "fan_mode": attributes.get("fan_mode"),
    }


def _player(state: str, attributes: Mapping[str, Any]) -> State:
    volume = _number(attributes.get("volume_level"))
    return {
        "on": state not in ("off", "standby"),
        "playing": state == "playing",
        "muted": attributes.get("is_volume_muted"),
        "volume_level": None if volume is None else round(100 * volume),
    }


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], State]] = MappingProxyType(
    {
        "light": _light,
        "fan": _fan,
        "cover": _cover,
        "lock": _lock,
        "climate": _climate,
        "media_player": _player,
    }
)


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


# -- calls -------------------------------------------------------------------------------------------------------------

_Service = tuple[str, str, Mapping[str, Any]]

_PLAYER: Mapping[str, str] = MappingProxyType(
    {
        "pause": "media_pause",
        "unpause": "media_play",
        "next": "media_next_track",
        "previous": "media_previous_track",
    }
)


def _calls(operation: str, move: Move) -> Sequence[_Service]:
    """The calls for one device."""
    domain = move.device.id.partition(".")[0]
    if operation in _PLAYER:
        return [(domain, _PLAYER[operation], {})]
    if operation == "stop":
        return [(domain, f"stop_{domain}", {})]
    wanted = move.changes if operation == RESTORE else _asked(operation, move)
    write = {"light": _to_light, "cover": _to_cover, "lock": _to_lock}.get(domain, _to_others)
    return write(domain, wanted, move.after)


def _asked(operation: str, move: Move) -> State:
    """What has to be said: what changes, and what was asked for even if it seems to be so already."""
    key = {"light": "on", "lock": "locked", "cover": "position"}.get(move.device.id.partition(".")[0], "on")
    if operation in ("on", "off", "toggle") and key in move.after:
        return {key: move.after[key]}
    return move.changes or {name: value for name, value in move.after.items() if name != "on"} or move.after


def _to_light(domain: str, wanted: State, after: State) -> Sequence[_Service]:
    if after.get("on") is False:
        return [(domain, "turn_off", {})]
    names = {"brightness": "brightness_pct", "color": "color_name", "temperature": "color_temp_kelvin"}
    data = {names.get(name, name): value for name, value in wanted.items() if value is not None and name != "on"}
    if isinstance(data.get("color_name"), str):
        data["color_name"] = data["color_name"].replace(" ", "")  # CSS has no spaces: "light blue"
    return [(domain, "turn_on", data)] if data or wanted.get("on") else []


def _to_cover(domain: str, wanted: State, _after: State) -> Sequence[_Service]:
    position = wanted.get("position")
    if position is None:
        return []
    if position in (0, 100):
        return [(domain, "close_cover" if position == 0 else "open_cover", {})]
    return [(domain, "set_cover_position", {"position": position})]


def _to_lock(domain: str, wanted: State, _after: State) -> Sequence[_Service]:
    locked = wanted.get("locked")
    return [] if locked is None else [(domain, "lock" if locked else "unlock", {})]


def _to_others(domain: str, wanted: State, _after: State) -> Sequence[_Service]:
    """Switches, fans, thermostats and players: on or off, and then what was set."""
    if wanted.get("on") is False:
        return [(domain, "turn_off", {})]
    setters: list[_Service] = [
        (domain, service, {name: read(wanted[key])})
        for key, (service, name, read) in _SETTERS.items()
        if wanted.get(key) is not None
    ]
    if wanted.get("playing") is not None:
        setters.append((domain, "media_play" if wanted["playing"] else "media_pause", {}))
    turns_on = wanted.get("on") is True and wanted.get("percentage") is None  # a fan's speed switches it on
    return [(domain, "turn_on", {}), *setters] if turns_on else setters


_SETTERS: Mapping[str, tuple[str, str, Callable[[Any], Any]]] = MappingProxyType(
    {
        "percentage": ("set_percentage", "percentage", float),
        "temperature": ("set_temperature", "temperature", float),
        "fan_mode": ("set_fan_mode", "fan_mode", str),
        "volume_level": ("volume_set", "volume_level", lambda percent: float(percent) / 100),
        "muted": ("volume_mute", "is_volume_muted", bool),
    }
)
