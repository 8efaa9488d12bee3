"""Sound devices by name: what there is, and which one a name or part of a name means."""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.errors import DeviceError

DEFAULT = "default"

# ALSA's card number changes with the order of plugging in: "USB Mic: Audio (hw:2,0)" is the device "USB Mic: Audio".
CARD_NUMBER = re.compile(r"\s*\((?:plug)?hw:\d+,\d+\)$")
# A plug-in of the sound server claims 32 channels and makes up those that it has not.
MOST_REAL_CHANNELS = 8


class Direction(enum.Enum):
    """What a device is wanted for."""

    INPUT = "microphone"
    OUTPUT = "loudspeaker"


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device as PortAudio lists it.

    name: its stable name, without the card's number.
    full_name: as listed, to tell two cards of one make apart.
    index: PortAudio's index, valid until the list is made anew; never shown, never stored.
    inputs, outputs: channels.
    rate_hz: native rate.
    default_input, default_output: whether it is what "no name" means.
    system: sound system (ALSA, JACK …).
    """

    name: str
    full_name: str
    index: int
    inputs: int
    outputs: int
    rate_hz: int
    default_input: bool = False
    default_output: bool = False
    system: str = "ALSA"

    def channels(self, direction: Direction) -> int:
        """Channels that it has for `direction`."""
        return self.inputs if direction is Direction.INPUT else self.outputs

    def own_channels(self, direction: Direction) -> int:
        """Channels to open when nobody says how many: all that are real, 1 of a plug-in that claims any number."""
        count = self.channels(direction)
        return count if count <= MOST_REAL_CHANNELS else 1

    def is_default(self, direction: Direction) -> bool:
        """Whether it is the default for `direction`."""
        return self.default_input if direction is Direction.INPUT else self.default_output


def stable_name(full_name: str) -> str:
    """`full_name` without the card number, which changes from start to start."""
    return CARD_NUMBER.sub("", full_name).strip()


def find(devices: Sequence[Device], name: str | None, direction: Direction) -> Device:
    """Return the device that `name` means: exactly, else regardless of case, else as a part. None is the default;
    so is "default" where no device is called so.

    Raises DeviceError, which lists the candidates, when none fits or several do.
    """
    usable = [device for device in devices if device.channels(direction) > 0]
    if name is None:
        return _default(usable, direction)
    if name == DEFAULT and not any(device.name == DEFAULT for device in usable):
        return _default(usable, direction)
    wanted = name.strip().casefold()
    exactly = [each for each in usable if name in (each.name, each.full_name)]
    in_any_case = [each for each in usable if wanted in (each.name.casefold(), each.full_name.casefold())]
    in_part = [each for each in usable if wanted and wanted in each.full_name.casefold()]
    for found in (exactly, in_any_case, in_part):
        if found:
            return _only(found, name, direction)
    raise DeviceError(f"no {direction.value} has this name", where=name, remedy=_what_there_is(usable, name))


def _default(usable: Sequence[Device], direction: Direction) -> Device:
    for device in usable:
        if device.is_default(direction):
            return device
    if len(usable) == 1:
        return usable[0]
    raise DeviceError(f"there is no default {direction.value}", remedy=_what_there_is(usable, ""))


def _only(found: Sequence[Device], name: str, direction: Direction) -> Device:
    systems = {device.system for device in found}
    if len(found) > 1 and len({device.full_name for device in found}) == 1 and len(systems) == len(found):
        return found[0]  # one device seen through several sound systems
    if len(found) > 1:
        names = ", ".join(f'"{device.full_name}"' for device in found)
        raise DeviceError(f"the name fits {len(found)} {direction.value}s", where=name, remedy=f"name one of {names}")
    return found[0]


def _what_there_is(usable: Sequence[Device], name: str) -> str:
    if not usable:
        return "connect one; `assistant devices` lists what the sound system finds"
    names = list(dict.fromkeys(device.name for device in usable))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f'did you mean "{near[0]}"? ' if near else ""
    return hint + "there is " + ", ".join(f'"{each}"' for each in names)
