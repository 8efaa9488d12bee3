"""A context of Picovoice Rhino as a draft context (its syntax: picovoice.ai/docs/tips/syntax-cheat-sheet).

[brew, make]             (brew|make)
(please)  (a, an)        [please]  [a|an]
@macro                   <macro>
$size:cup                {size:cup}
$pv.TwoDigitInteger:n    {two_digit_integer:n}, a list of numbers
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assistant.errors import InputError
from assistant.grammar.draft import Draft, escape
from assistant.grammar.places import ContextFaults, Faults, Located, read_yaml
from assistant.grammar.spelling import number_words

_RHINO_BUILTIN: dict[str, dict[str, Any]] = {
    "SingleDigitInteger": {"range": {"from": 0, "to": 9}},
    "TwoDigitInteger": {"range": {"from": 0, "to": 99}},
    "Percent": {"range": {"type": "percentage", "from": 0, "to": 100}},
    "SingleDigitOrdinal": {"ordinals": 9},
    "TwoDigitOrdinal": {"ordinals": 99},
    "Alphabetic": {"values": list("abcdefghijklmnopqrstuvwxyz")},
}
_NAME = re.compile(r"[$@]([\w.]+)(?::([\w.]+))?")


def read_rhino(path: Path) -> Draft:
    """Read a context of Picovoice Rhino (picovoice.ai/docs/tips/syntax-cheat-sheet). Raises InputError."""
    context = _yaml_part(path, "context")
    draft = Draft(path.name.partition(".")[0])
    used: set[str] = set()
    for intent, expressions in _part(context, "expressions", path).items():
        sentences = [rhino_template(str(item.value), used, _where(path, item)) for item in _list_of(expressions, path)]
        draft.intents[intent] = [{"sentences": sentences}]
    for name, phrases in _part(context, "macros", path).items():
        options = [rhino_template(str(item.value), used, _where(path, item)) for item in _list_of(phrases, path)]
        draft.rules[name] = options[0] if len(options) == 1 else f"({'|'.join(options)})"
    for name, values in _part(context, "slots", path).items():
        draft.lists[name] = {"values": [escape(str(item.value)) for item in _list_of(values, path)]}
    for name in sorted(used - set(draft.lists)):
        for builtin, definition in _RHINO_BUILTIN.items():
            if name == _snake(builtin):
                draft.lists[name] = _builtin(definition)
                draft.notes.append(f"pv.{builtin} has become the list '{name}'; its values are numbers or words")
    return draft


def rhino_template(expression: str, used: set[str], where: str = "") -> str:
    """One Rhino expression in hassil's syntax; names of slot types are added to `used`. Raises InputError."""
    text, at = _rhino_sequence(expression, 0, "", used, where)
    if at != len(expression):
        raise InputError(f"'{expression[at]}' at column {at + 1} closes nothing", where=where)
    return " ".join(text.split())


def _rhino_sequence(text: str, at: int, closer: str, used: set[str], where: str) -> tuple[str, int]:
    """Read up to `closer` or, inside brackets, a comma."""
    parts: list[str] = []
    while at < len(text) and text[at] not in ")]" and not (closer and text[at] == ","):
        sign = text[at]
        if sign in "[(":
            group, at = _rhino_group(text, at, used, where)
            parts.append(group)
        elif sign in "$@":
            match = _NAME.match(text, at)
            if match is None:
                raise InputError(f"'{sign}' at column {at + 1} names nothing", where=where)
            at = match.end()
            if sign == "@":
                parts.append(f"<{match[1]}>")
            else:
                name = _snake(match[1][3:]) if match[1].startswith("pv.") else match[1]
                used.add(name)
                slot = match[2] or match[1]
                parts.append(f"{{{name}}}" if slot == name else f"{{{name}:{slot}}}")
        else:
            parts.append(escape(sign))
            at += 1
    return "".join(parts), at


def _rhino_group(text: str, start: int, used: set[str], where: str) -> tuple[str, int]:
    closer = "]" if text[start] == "[" else ")"
    options = []
    at = start
    while True:
        option, at = _rhino_sequence(text, at + 1, closer, used, where)
        options.append(option.strip())
        if at >= len(text) or text[at] not in (closer, ","):
            raise InputError(f"'{text[start]}' at column {start + 1} is never closed", where=where)
        if text[at] == closer:
            break
    joined = "|".join(options)
    return (f"({joined})" if closer == "]" else f"[{joined}]"), at + 1


def _builtin(definition: dict[str, Any]) -> dict[str, Any]:
    if "ordinals" not in definition:
        return definition
    return {"values": [{"in": ordinal_words(n), "out": n} for n in range(1, definition["ordinals"] + 1)]}


def ordinal_words(number: int) -> str:
    """English ordinal of 1 to 99: 21 is "twenty first"."""
    irregular = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth"}
    tens, ones = divmod(number, 10)
    if number in irregular:
        return irregular[number]
    if number < 20:
        return number_words(number) + "th"
    if ones == 0:
        return number_words(number)[:-1] + "ieth"
    return f"{number_words(tens * 10)} {ordinal_words(ones)}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _yaml_part(path: Path, key: str) -> Located:
    faults = Faults()
    located = read_yaml(path, path.name, faults)
    if faults:
        raise ContextFaults(str(path.parent), faults)
    if located is None or not isinstance(located.value, dict) or key not in located.value:
        raise InputError(f"has no '{key}:'", where=str(path), remedy="is it a Rhino context?")
    return located.value[key]  # type: ignore[no-any-return]


def _part(located: Located, key: str, path: Path) -> dict[str, Located]:
    part = located.value.get(key) if isinstance(located.value, dict) else None
    if part is None or part.value is None:
        return {}
    if not isinstance(part.value, dict):
        raise InputError(f"'{key}' must be a mapping", where=_where(path, part))
    return part.value


def _list_of(located: Located, path: Path) -> Iterable[Located]:
    if not isinstance(located.value, list):
        raise InputError("must be a list", where=_where(path, located))
    return located.value


def _where(path: Path, located: Located) -> str:
    return f"{path}:{located.place.line}"
