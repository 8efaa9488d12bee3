"""Two commands in one sentence: "turn off the lamp and set a timer for five minutes".

context.yaml says which intents may be joined (joining.py). The meaning is the intent `Together` with the slots of both
under `first.` and `then.`, their intents and reply keys among them; `commands` takes it apart again. A sentence of a
context may also be written as `Together` by hand, with `first.intent` under `slots:`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

TOGETHER = "Together"
FIRST, THEN = PARTS = ("first", "then")

ABOUT = ("name", "area", "floor", "domain", "device_class")
"""The slots that say what a command is about."""


@dataclass(frozen=True, slots=True)
class Command:
    """One of the commands of a sentence. response: key of its reply template."""

    intent: str
    slots: Mapping[str, Any]
    response: str = "default"


def commands(intent: str, slots: Mapping[str, Any], response: str = "default") -> tuple[Command, ...]:
    """The commands that a meaning holds, in the order in which they were said: two for `Together`, otherwise itself."""
    if intent != TOGETHER:
        return (Command(intent, slots, response),)
    found = []
    for part in PARTS:
        own = {name.partition(".")[2]: value for name, value in slots.items() if name.startswith(f"{part}.")}
        name, key = str(own.pop("intent", "")), str(own.pop("response", "default"))
        if name:
            found.append(Command(name, MappingProxyType(own), key))
    return tuple(found)


def repeats(intent: str, slots: Mapping[str, Any]) -> bool:
    """Whether a sentence is about the same thing twice, or in part: nobody says that, but a recogniser likes to.

    A decoder that predicts its own words writes a short command again and again; the second time it hears nothing.
    """
    if intent != TOGETHER:
        return False
    both = commands(intent, slots)
    if len(both) < 2:
        return True
    first, then = ({name: own.slots.get(name) for name in ABOUT if name in own.slots} for own in both)
    return both[0] == both[1] or (bool(first) and first == then)
