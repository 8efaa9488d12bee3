"""What was said last, and what a follow-up makes of it: "and the bedroom too", "make it warmer", "again".

Follow-ups are sentences of a context like any other (the home context has them in sentences/followups.yaml); their
action is the skill `dialogue`, and its parameter `do` says which of FollowUp they are. They are always in the grammar:
nothing is compiled or switched while somebody speaks, and without anything to follow up they are refused.

    memory + follow-up ─► follow ─┬─ Command    act on this instead
                                  └─ None       it follows nothing: refuse
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from assistant.grammar.household import folded
from assistant.grammar.tree import (
    Choice,
    Context,
    ListRef,
    Node,
    NumberList,
    RuleRef,
    Sequence,
    SlotList,
    Template,
    TextList,
)
from assistant.types import EMPTY

SKILL = "dialogue"
"""Skill in actions.yaml of what the dialogue does itself."""

REMEMBER_S = 120.0
"""So long after a command can it be followed up: the time within which it can be taken back, too."""

PLACE = ("name", "area", "floor", "domain", "device_class", "device_id")
LENGTH = ("hours", "minutes", "seconds")
GROUPS = (PLACE, LENGTH)
"""Slots that say one thing together: a new value of one of them replaces all."""


class FollowUp(enum.Enum):
    """What a follow-up does (`do` in actions.yaml)."""

    STOP = "stop"
    """Be silent: ends speech and ringing."""
    UNDO = "undo"
    """Take back what was done last."""
    AGAIN = "again"
    """The same once more."""
    ALSO = "also"
    """The same with other values: "and the bedroom too"."""
    INSTEAD = "instead"
    """Take it back, and do it with other values: "no, I meant the bedroom"."""
    CHANGE = "change"
    """Something else with the same things: "make it brighter". `intent` says what."""
    HEARD = "heard"
    """What did I say?"""
    SAID = "said"
    """What did you say?"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its meaning, the key of its reply and its words."""

    intent: str
    slots: Mapping[str, Any]
    response: str = "default"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a conversation remembers.

    whole: the last sentence that was acted on or asked about; command: the last command in it, None before the first.
    found: what its skill found out. at: when, monotonic, seconds. heard, said: the last words of both sides.
    """

    whole: Command | None = None
    command: Command | None = None
    found: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    at: float = 0.0
    heard: str = ""
    said: str = ""

    def fresh(self, now: float) -> Memory:
        """What of it is still remembered at `now`."""
        return self if now - self.at <= REMEMBER_S else Memory()


def follow_up(context: Context, intent: str) -> FollowUp | None:
    """Which follow-up `intent` is in `context`, None for a command of its own."""
    action = context.actions.get(intent)
    if action is None or action.skill != SKILL:
        return None
    known = {kind.value: kind for kind in FollowUp}
    return known.get(str(action.parameters.get("do")))


def follow(memory: Memory, context: Context, said: Command) -> Command | None:
    """The command that the follow-up `said` means after what `memory` holds; None if it follows nothing."""
    kind = follow_up(context, said.intent)
    if kind is FollowUp.AGAIN:
        return memory.whole
    if kind in (FollowUp.ALSO, FollowUp.INSTEAD):
        return _with_other_values(memory.command, context, said) if memory.command else None
    if kind is FollowUp.CHANGE:
        return _changed(memory, context, said)
    return None


def _with_other_values(last: Command, context: Context, said: Command) -> Command | None:
    """`last` with the slots that were said in place of those that say the same; None where it cannot have them."""
    replaced = {name for group in GROUPS if set(group) & set(said.slots) for name in group} | set(said.slots)
    if set(LENGTH) & set(said.slots):
        replaced.add("name")  # "another one for ten minutes" is another timer
    kept = {name: value for name, value in last.slots.items() if name not in replaced}
    for new in _worded(last, context, said.slots):
        slots = {**kept, **new}
        template = fitting(context, last.intent, _sayable(context, last.intent, slots, new))
        if template is not None:
            return Command(last.intent, MappingProxyType(slots), template.response, said.text)
    return None


def _worded(last: Command, context: Context, new: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Ways to mean the new place: as it is, the same kind of thing there, or the thing of the same name there."""
    area = new.get("area")
    if area is None or "name" in new:
        yield new
        return
    name = last.slots.get("name")
    called = [d for d in context.home.devices if d.is_called(str(name))] if context.home and name else []
    there = (
        [d for own in called for d in context.home.devices if d.name == own.name and _same(d.area, area)]
        if (context.home)
        else []
    )
    if there:
        yield {"name": there[0].full_name or there[0].name}
    domains = {device.domain for device in called}
    if len(domains) == 1:
        yield {"area": area, "domain": domains.pop()}
    yield {**{key: last.slots[key] for key in ("domain", "device_class") if key in last.slots}, **new}


def _same(one: str, other: Any) -> bool:
    return folded(one) == folded(str(other))


def _changed(memory: Memory, context: Context, said: Command) -> Command | None:
    """The command of the action's `intent`, with what was said and what it carries over from the last one.

    after: intents that it can follow. alone: it can also stand alone, and then is about nothing in particular.
    carry: slot or found value of the last command → slot. default: slots that it has where nothing is carried.
    responses: carried slot → key of the reply; "else" where none of them is carried.
    """
    parameters = context.actions[said.intent].parameters
    last = memory.command if memory.command and memory.command.intent in parameters.get("after", ()) else None
    if last is None and not parameters.get("alone"):
        return None
    known = {**memory.found, **last.slots} if last else {}
    carried = {new: known[old] for old, new in parameters.get("carry", {}).items() if known.get(old) is not None}
    slots = {**(carried or parameters.get("default", {})), **said.slots}
    responses: Mapping[str, str] = parameters.get("responses", {})
    intent = str(parameters["intent"])
    sentence = fitting(context, intent, _sayable(context, intent, slots, said.slots))
    if sentence is not None:
        response = sentence.response
    else:
        response = next((key for slot, key in responses.items() if slot in carried), responses.get("else", "default"))
    return Command(intent, MappingProxyType(slots), response, said.text)


def _sayable(context: Context, intent: str, slots: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without what was carried over and is said by follow-ups only (`brightness_step`)."""
    nodes = [template.node for template in context.templates if template.intent == intent]
    fixed = {name for template in context.templates if template.intent == intent for name in template.slots}
    known = fixed | {reference.slot for node in nodes for reference in _references(context, node)}
    return {name: value for name, value in slots.items() if name in known or name in new}


# -- what a context can say ----------------------------------------------------------------------------------------


def fitting(context: Context, intent: str, slots: Mapping[str, Any]) -> Template | None:
    """A sentence of `intent` that could have given exactly these slots; None where there is none."""
    for template in context.templates:
        if template.intent != intent or any(slots.get(name) != value for name, value in template.slots.items()):
            continue
        lists: dict[str, list[SlotList]] = {}
        for reference in _references(context, template.node):
            lists.setdefault(reference.slot, []).append(context.lists[reference.list])
        free = {name: value for name, value in slots.items() if name not in template.slots}
        if all(any(_has(values, value) for values in lists.get(name, ())) for name, value in free.items()):
            return template
    return None


def _has(values: SlotList, value: Any) -> bool:
    if isinstance(values, TextList):
        return any(entry.value == value for entry in values.values)
    if isinstance(values, NumberList):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)


def _references(context: Context, node: Node) -> Iterator[ListRef]:
    todo, seen = [node], set[str]()
    while todo:
        found = todo.pop()
        if isinstance(found, ListRef):
            yield found
        elif isinstance(found, (Sequence, Choice)):
            todo += found.items
        elif isinstance(found, RuleRef) and found.rule not in seen:
            seen.add(found.rule)
            todo.append(context.rules[found.rule])


def remembered(memory: Memory, whole: Command, command: Command, found: Mapping[str, Any], now: float) -> Memory:
    """`memory` after a sentence was acted on."""
    return replace(memory, whole=whole, command=command, found=found, at=now)
