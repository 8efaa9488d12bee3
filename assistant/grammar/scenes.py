"""What a scene of home.yaml does: the states that devices get, checked against what each device can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Union

import msgspec
from msgspec import Meta, Struct

from assistant.grammar.household import Device, folded
from assistant.grammar.places import Faults, Located, did_you_mean
from assistant.grammar.schema import read

Percent = Annotated[float, Meta(ge=0, le=100)]

STATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "light": ("on", "brightness", "color", "temperature"),
        "switch": ("on",),
        "fan": ("on", "percentage"),
        "cover": ("position",),
        "climate": ("on", "temperature"),
        "media_player": ("on", "playing", "muted", "volume_level"),
        "lock": (),
    }
)
"""What a scene can set, by domain."""

TEMPERATURES = {"light": (1000, 10_000), "climate": (5, 95)}
"""Lowest and highest: of white light, kelvin; of a set point, degrees as home.yaml means them."""

SWITCHING_ON = ("brightness", "percentage")
"""Above 0 these switch on, at 0 off, unless the scene says otherwise."""


class StateSpec(Struct, frozen=True):
    """What one device is to be like; what is not named stays as it is."""

    device: Annotated[str, Meta(description="its name, an alias, or name and area: kitchen ceiling light")]
    area: Annotated[str, Meta(description="where several devices are called so")] = ""
    on: Annotated[Union[bool, None], Meta(description="switched on, or off")] = None
    brightness: Annotated[Union[Percent, None], Meta(description="of a light, percent")] = None
    color: Annotated[Union[str, None], Meta(description="of a light, as it is said")] = None
    temperature: Annotated[Union[float, None], Meta(description="of white light, kelvin; a set point, degrees")] = None
    percentage: Annotated[Union[Percent, None], Meta(description="speed of a fan")] = None
    position: Annotated[Union[Percent, None], Meta(description="of a cover, percent: 0 is closed, 100 open")] = None
    playing: Annotated[Union[bool, None], Meta(description="of a media player")] = None
    muted: Annotated[Union[bool, None], Meta(description="of a media player")] = None
    volume_level: Annotated[Union[Percent, None], Meta(description="of a media player, percent")] = None


def scene_states(
    scene: str, items: Iterable[Located], devices: tuple[Device, ...], faults: Faults
) -> Mapping[str, Mapping[str, Any]]:
    """What the items under `states:` set, by device id; what is wrong with them goes to `faults`."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in items:
        spec = read(item, StateSpec, faults, f"a state of scene '{scene}'")
        device = None if spec is None else _device(spec, item, devices, faults)
        if spec is None or device is None:
            continue
        if device.id in found:
            faults.add(item.place, f"'{spec.device}' is there twice in scene '{scene}'", "leave one of them out")
        state = dict(_state(spec, device, item, faults))
        for name in SWITCHING_ON:
            if name in state:
                state.setdefault("on", state[name] > 0)
        if not state:
            faults.add(item.place, f"'{spec.device}' gets no state", _can(device))
        found[device.id] = MappingProxyType(state)
    return MappingProxyType(found)


def _device(spec: StateSpec, item: Located, devices: tuple[Device, ...], faults: Faults) -> Device | None:
    """The one device that is meant."""
    called = [device for device in devices if device.is_called(spec.device) or spec.device == device.id]
    exact = [device for device in called if folded(spec.device) == folded(device.full_name)]
    here = [device for device in exact or called if not spec.area or folded(device.area) == folded(spec.area)]
    place = item.value["device"].place
    if not called:
        hint = did_you_mean(spec.device, [own for d in devices for own in (d.name, d.full_name, *d.aliases)])
        faults.add(place, f"there is no device '{spec.device}'{hint}", "" if hint else "name one of devices:")
    elif not here:
        faults.add(place, f"there is no '{spec.device}' in area '{spec.area}'", f"it is in {called[0].area or 'none'}")
    elif len(here) > 1:
        faults.add(place, f"{len(here)} devices are called '{spec.device}'", "say in which area:")
    elif here[0].confirm:
        faults.add(
            place, f"'{spec.device}' is asked about before it is moved", "leave it out, or give it confirm: false"
        )
    else:
        return here[0]
    return None


def _state(spec: StateSpec, device: Device, item: Located, faults: Faults) -> Iterator[tuple[str, Any]]:
    """What the device is to be like; a fault for what it cannot be."""
    for field in msgspec.structs.fields(StateSpec)[2:]:
        value = getattr(spec, field.name)
        if value is None:
            continue
        low, high = TEMPERATURES.get(device.domain, (0, 0))
        place = item.value[field.name].place
        if field.name not in STATES[device.domain]:
            faults.add(place, f"a {device.domain} has no {field.name}", _can(device))
        elif field.name == "temperature" and not low <= value <= high:
            faults.add(place, f"{value:g} is no temperature of a {device.domain}", f"use {low} to {high}")
        else:
            yield field.name, int(value) if isinstance(value, float) and value.is_integer() else value


def _can(device: Device) -> str:
    names = STATES[device.domain]
    return f"a {device.domain} has: {', '.join(names)}" if names else f"a {device.domain} cannot be in a scene"
