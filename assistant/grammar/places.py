"""YAML that remembers its lines, and faults that are gathered so that an author sees all of them at once.

Scalars follow YAML 1.2: only true and false are truth values, so that `- on` and `in: off` are words, as authors mean.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from assistant.errors import ContextError
from assistant.grammar.tree import Place

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a context: where, what, and what to do about it ("" if the fault says it)."""

    place: Place
    what: str
    remedy: str = ""


@dataclass(slots=True)
class Faults:
    """Faults of one context, in the order in which they were found; each is kept once."""

    items: dict[Fault, None] = field(default_factory=dict)

    def add(self, place: Place, what: str, remedy: str = "") -> None:
        """Note a fault and go on."""
        self.items[Fault(place, what, remedy)] = None

    def __bool__(self) -> bool:
        return bool(self.items)

    def __iter__(self) -> Iterator[Fault]:
        return iter(sorted(self.items, key=lambda fault: (fault.place.file, fault.place.line)))


class ContextFaults(ContextError):
    """All that is wrong with one context; its text has one line `file:line: what; remedy` for each fault.

    folder: the context's folder, as it is to be shown. faults: at least one, by file and line.
    """

    def __init__(self, folder: str, faults: Iterable[Fault]) -> None:
        self.folder = folder
        self.faults = tuple(faults)
        first = self.faults[0]
        super().__init__(first.what, where=_where(folder, first.place), remedy=first.remedy)

    def __str__(self) -> str:
        lines = []
        for fault in self.faults:
            end = f"; {fault.remedy}" if fault.remedy else ""
            lines.append(f"{_where(self.folder, fault.place)}: {fault.what}{end}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML value with the line it stands on.

    value: None, bool, int, float, str, a list of Located, or a dict from key to Located.
    keys: for a mapping, where each key stands.
    """

    value: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)

    def plain(self) -> Any:
        """The value with no places in it."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value


def did_you_mean(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """Return " (did you mean 'x'?)" with the name nearest to `name`, or "" when none is near (difflib's ratio)."""
    near = nearest(name, names, cutoff)
    return f" (did you mean '{near}'?)" if near else ""


def nearest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the name that is most like `name`, or "" when none is near."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=cutoff)
    return matches[0] if matches else ""


def read_yaml(path: Path, file: str, faults: Faults) -> Located | None:
    """Read one YAML file, with `file` as its name in places; None (and a fault) if it is not YAML, None if empty."""
    try:
        return parse_yaml(path.read_bytes().decode("utf-8"), file, faults)
    except UnicodeDecodeError as error:
        faults.add(Place(file, 1), f"not UTF-8 text (byte {error.start})", "save the file as UTF-8")
    except OSError as error:
        faults.add(Place(file, 1), f"cannot be read: {error.strerror}")
    return None


def parse_yaml(text: str, file: str, faults: Faults) -> Located | None:
    """Parse YAML text; see `read_yaml`."""
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        faults.add(Place(file, line), f"not YAML: {error.problem or error.context}", "mind indentation and quotes")
        return None
    except yaml.YAMLError as error:
        faults.add(Place(file, 1), f"not YAML: {' '.join(str(error).split())}")
        return None
    return None if node is None else _located(node, file, faults, set())


def _where(folder: str, place: Place) -> str:
    return str(Place(f"{folder}/{place.file}", place.line))


def _located(node: yaml.Node, file: str, faults: Faults, seen: set[int]) -> Located:
    place = Place(file, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return Located(_scalar(node), place)
    # A node that is met twice was written with an alias; aliases can hide endless or exponentially large values.
    if id(node) in seen:
        faults.add(place, "YAML aliases (*name) are not supported", "use expansion_rules or lists")
        return Located(None, place)
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(item, file, faults, seen) for item in node.value], place)
    values: dict[str, Located] = {}
    keys: dict[str, Place] = {}
    for key_node, value_node in node.value:
        key_place = Place(file, key_node.start_mark.line + 1)
        key = key_node.value
        if not isinstance(key, str):
            faults.add(key_place, "a key must be a word")
            continue
        if key in values:
            faults.add(key_place, f"'{key}' is written twice (first in line {keys[key].line})")
            continue
        keys[key] = key_place
        values[key] = _located(value_node, file, faults, seen)
    return Located(values, place, keys)


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.style:  # None or "" for plain scalars, by parser
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
