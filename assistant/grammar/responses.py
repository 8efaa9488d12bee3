r"""Replies: responses/*.yaml, and what their templates make of the slots of an understood sentence.

{slot}         the slot's value
{slot:noun}    a number with its noun: "1 minute", "5 minutes"; {slot:loaf/loaves} for irregular ones
[part]         said only if every slot in it is known
(a|b|c)        the first whose slots are all known
\( \[ …        the sign itself
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Union

from assistant.grammar.places import Faults, read_yaml
from assistant.grammar.schema import ResponsesFile, ResponsesSpec, read
from assistant.grammar.tree import Place

RESPONSES_FOLDER = "responses"
WORDINGS_INTENT = "assistant"
"""The pseudo-intent whose replies are the assistant's own wordings."""

_SIGNS = "{}[]()|"
_SLOT = re.compile(r"([\w.]+)(?::([^/{}]+)(?:/([^/{}]+))?)?")


class ReplyError(Exception):
    """A reply template that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    singular: str
    plural: str


@dataclass(frozen=True, slots=True)
class _Alternatives:
    items: tuple[_Reply, ...]


_Reply = tuple[Union[str, _Slot, _Alternatives], ...]


def render(template: str, slots: Mapping[str, Any]) -> str:
    """Return the reply with the slots filled in, spaces tidied; parts whose slots are not known are left out.

    A slot outside brackets that is not known is left out too, so that a reply is never worse than short.
    Raises ReplyError for a template that cannot be read (the loader reports those before).
    """
    text = "".join(_said(part, slots) for part in _parse(template))
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" ([,.;:!?])", r"\1", text)


def slots_of(template: str) -> tuple[str, ...]:
    """Names of the slots that a reply uses, in order. Raises ReplyError."""
    return tuple(dict.fromkeys(slot.name for slot in _slots(_parse(template))))


@dataclass(frozen=True, slots=True)
class Responses:
    """intent → key → template, and where each stands."""

    templates: Mapping[str, Mapping[str, str]]
    places: Mapping[tuple[str, str], Place]


def read_responses(folder: Path, faults: Faults) -> Responses:
    """Read responses/*.yaml; a missing folder counts as empty."""
    responses: dict[str, dict[str, str]] = {}
    places: dict[tuple[str, str], Place] = {}
    directory = folder / RESPONSES_FOLDER
    for path in sorted(path for path in directory.rglob("*") if path.suffix in (".yaml", ".yml")):
        located = read_yaml(path, path.relative_to(folder).as_posix(), faults)
        if located is None:
            continue
        spec = read(located, ResponsesFile, faults, "a responses file")
        if spec is None:
            continue
        inner = located.value["responses"]
        if read(inner, ResponsesSpec, faults, "responses") is None:
            continue
        for intent, replies in inner.value["intents"].value.items():
            for key, reply in replies.value.items():
                if key in responses.get(intent, {}):
                    faults.add(reply.place, f"reply '{key}' of intent '{intent}' is written twice")
                try:
                    _parse(reply.value)
                except ReplyError as error:
                    faults.add(reply.place, f"reply '{key}' of intent '{intent}' {error}")
                responses.setdefault(intent, {})[key] = reply.value
                places[intent, key] = reply.place
    return Responses(MappingProxyType({name: MappingProxyType(keys) for name, keys in responses.items()}), places)


def _said(part: str | _Slot | _Alternatives, slots: Mapping[str, Any]) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, _Slot):
        return _value(part, slots.get(part.name))
    for item in part.items:
        if _known(item, slots):
            return "".join(_said(inner, slots) for inner in item)
    return ""


def _value(slot: _Slot, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not slot.singular:
        return str(value)
    return f"{value} {slot.singular if value == 1 else slot.plural}"


def _known(reply: _Reply, slots: Mapping[str, Any]) -> bool:
    """True if everything that the reply cannot do without is known."""
    for part in reply:
        if isinstance(part, _Slot) and slots.get(part.name) is None:
            return False
        if isinstance(part, _Alternatives) and not any(_known(item, slots) for item in part.items):
            return False
    return True


def _slots(reply: _Reply) -> Iterator[_Slot]:
    for part in reply:
        if isinstance(part, _Slot):
            yield part
        elif isinstance(part, _Alternatives):
            for item in part.items:
                yield from _slots(item)


def _parse(template: str) -> _Reply:
    reply, end = _sequence(template, 0, "")
    if end != len(template):
        raise ReplyError(f"has '{template[end]}' at column {end + 1} that closes nothing")
    return reply


def _sequence(text: str, at: int, closer: str) -> tuple[_Reply, int]:
    """Read up to `closer`, a `|` inside round brackets, or a closing sign that has no opening one."""
    parts: list[str | _Slot | _Alternatives] = []
    while at < len(text) and text[at] != closer and not (text[at] == "|" and closer == ")"):
        sign = text[at]
        if sign == "\\" and at + 1 < len(text):
            parts.append(text[at + 1])
            at += 2
        elif sign == "{":
            slot, at = _slot(text, at)
            parts.append(slot)
        elif sign in "[(":
            group, at = _group(text, at)
            parts.append(group)
        elif sign in ")]}" or (sign == "|" and closer):
            break
        else:
            parts.append(sign)
            at += 1
    return tuple(parts), at


def _group(text: str, start: int) -> tuple[_Alternatives, int]:
    closer = "]" if text[start] == "[" else ")"
    items = []
    at = start
    while True:
        item, at = _sequence(text, at + 1, closer)
        items.append(item)
        if at >= len(text) or text[at] not in (closer, "|"):
            raise ReplyError(f"has '{text[start]}' at column {start + 1} that is never closed")
        if text[at] == closer:
            break
        if closer == "]":
            raise ReplyError(f"has '|' at column {at + 1} inside [ ]; write ([…]|…) or (a|b)")
    if closer == "]":
        items.append(())
    return _Alternatives(tuple(items)), at + 1


def _slot(text: str, start: int) -> tuple[_Slot, int]:
    end = text.find("}", start)
    match = _SLOT.fullmatch(text[start + 1 : end].strip()) if end > 0 else None
    if match is None:
        raise ReplyError(f"has '{{' at column {start + 1} without a slot's name and '}}'")
    singular = (match[2] or "").strip()
    return _Slot(match[1], singular, (match[3] or singular + "s").strip()), end + 1
