"""What an operation makes of a device's state, and how a state is said: a table by domain, without file or clock.

domain        state                                  operations
light         on, brightness %, color, temperature   on, off, toggle, set
switch, fan   on (fan: percentage)                   on, off, toggle, set
cover, valve  position %: 0 is closed                on (opens), off (closes), toggle, set, stop
lock          locked                                 on (locks), off (unlocks), toggle
climate       on, temperature                        on, off, set
media_player  on, playing, muted, volume_level %     on, off, set, pause, unpause, next, previous, mute, unmute
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from assistant.grammar.household import Device

State = Mapping[str, Any]

COVERS = ("cover", "valve")
SWITCHED = ("light", "switch", "fan", "media_player", "climate")

# Slots that `set` takes, by domain, each with its lowest and highest value; None where it is no number.
SETTABLE: Mapping[str, Mapping[str, tuple[float, float] | None]] = MappingProxyType(
    {
        "light": {"brightness": (0, 100), "color": None, "temperature": (1000, 10_000)},
        "fan": {"percentage": (0, 100)},
        "cover": {"position": (0, 100)},
        "valve": {"position": (0, 100)},
        "climate": {"temperature": (5, 35), "fan_mode": None},
        "media_player": {"volume_level": (0, 100)},
    }
)
FAHRENHEIT = (40.0, 95.0)
"""Lowest and highest set point of a climate where temperatures are meant in Fahrenheit."""

# Where a relative change ("warmer") starts if nothing is known.
MIDDLE: Mapping[str, float] = MappingProxyType(
    {"brightness": 50, "percentage": 50, "position": 50, "temperature": 20, "volume_level": 50}
)
SWITCHING_ON = ("brightness", "percentage")
"""Above 0 these switch on, at 0 off."""

# Which domains an operation can be meant for, when the sentence does not name a device.
ABLE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "on": (*SWITCHED, *COVERS, "lock"),
        "off": (*SWITCHED, *COVERS, "lock"),
        "toggle": (*SWITCHED, *COVERS, "lock"),
        "stop": COVERS,
        "set": tuple(SETTABLE),
        "pause": ("media_player",),
        "unpause": ("media_player",),
        "next": ("media_player",),
        "previous": ("media_player",),
        "mute": ("media_player",),
        "unmute": ("media_player",),
    }
)

_PLAYER: Mapping[str, State] = MappingProxyType(
    {
        "pause": {"playing": False},
        "unpause": {"on": True, "playing": True},
        "next": {"on": True, "playing": True},
        "previous": {"on": True, "playing": True},
        "mute": {"muted": True},
        "unmute": {"muted": False},
    }
)


def settable_domains(slots: Mapping[str, Any]) -> tuple[str, ...]:
    """The domains for which `set` has something to do with these slots."""
    named = {name.removesuffix("_step") for name, value in slots.items() if value is not None}
    return tuple(domain for domain, known in SETTABLE.items() if named & set(known))


def change(
    device: Device, operation: str, slots: Mapping[str, Any], state: State, *, fahrenheit: bool = False
) -> dict[str, Any] | None:
    """What is different in the device's state afterwards; None if it cannot do that."""
    if operation not in ABLE or device.domain not in ABLE[operation]:
        return None
    if operation == "toggle":
        operation = "off" if is_on(device, state) else "on"
    if operation in ("on", "off"):
        return _switched(device.domain, on=operation == "on")
    if operation == "set":
        return _set(device.domain, slots, state, fahrenheit=fahrenheit)
    return dict(_PLAYER.get(operation, {}))


def is_on(device: Device, state: State) -> bool | None:
    """On, open or locked; None where nothing is known."""
    if device.domain in COVERS:
        return state["position"] > 0 if "position" in state else None
    key = "locked" if device.domain == "lock" else "on"
    return bool(state[key]) if key in state else None


def word(device: Device, state: State) -> str:
    """The state in one word of Home Assistant's: on, off, open, closed, locked, unlocked; "" where nothing is known."""
    on = is_on(device, state)
    if on is None:
        return ""
    if device.domain in COVERS:
        return "open" if on else "closed"
    if device.domain == "lock":
        return "locked" if on else "unlocked"
    return "on" if on else "off"


def described(device: Device, state: State) -> str:
    """The state in words: "on at 40 percent", "closed"; "" where nothing is known."""
    plain = word(device, state)
    if plain == "on" and device.domain == "light":
        colour = f" in {state['color']}" if state.get("color") else ""
        return f"on at {state['brightness']:g} percent{colour}" if "brightness" in state else f"on{colour}"
    if plain == "open" and state.get("position", 100) < 100:
        return f"open at {state['position']:g} percent"
    if device.domain == "climate" and "temperature" in state:
        return f"{plain or 'set'} at {state['temperature']:g} degrees" if plain != "off" else "off"
    return plain


def _switched(domain: str, *, on: bool) -> dict[str, Any]:
    if domain in COVERS:
        return {"position": 100 if on else 0}
    return {"locked" if domain == "lock" else "on": on}


def _set(domain: str, slots: Mapping[str, Any], state: State, *, fahrenheit: bool) -> dict[str, Any] | None:
    changes: dict[str, Any] = {}
    for name, limits in SETTABLE[domain].items():
        value, step = slots.get(name), slots.get(f"{name}_step", 0)
        if value is None and not step:
            continue
        if limits is None:
            changes[name] = value
            continue
        low, high = FAHRENHEIT if fahrenheit and domain == "climate" else limits
        if value is None:
            value = min(max(float(state.get(name, MIDDLE[name])) + float(step), low), high)
        if not low <= float(value) <= high:
            return None
        changes[name] = value
        if name in SWITCHING_ON:
            changes["on"] = float(value) > 0
    if domain == "light" and changes and "on" not in changes:
        changes["on"] = True
    if "color" in changes:
        changes["temperature"] = None  # a light shows a colour or a white, not both
    elif domain == "light" and "temperature" in changes:
        changes["color"] = None
    return changes or None
