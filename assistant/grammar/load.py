"""Contexts found by path or name and loaded: all files of the folder read, checked, and joined into one immutable tree.

CONTEXT/ ─┬─ sentences/*.yaml   what can be said (hassil's syntax, Home Assistant's layout)
          ├─ responses/*.yaml   what is answered
          ├─ actions.yaml       what is done
          ├─ context.yaml       name, language, how to hear it
          ├─ home.yaml          an example home, for a context that asks for the user's
          └─ calibration.json   fitted thresholds
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

import assistant
from assistant.errors import ContextError
from assistant.grammar.crosscheck import cross_check
from assistant.grammar.home import HOME_FILE, load_home
from assistant.grammar.home_lists import IN_AREA, home_lists
from assistant.grammar.household import Home
from assistant.grammar.joining import join
from assistant.grammar.places import ContextFaults, Faults, did_you_mean, read_yaml
from assistant.grammar.resolve import Resolved, resolve
from assistant.grammar.responses import read_responses
from assistant.grammar.schema import ActionSpec, read
from assistant.grammar.sentences import SENTENCES_FOLDER, Source, read_sentences, sentence_files
from assistant.grammar.settings import read_settings
from assistant.grammar.tree import (
    Action,
    Choice,
    Context,
    ListRef,
    Node,
    NumberList,
    Place,
    Sequence,
    Settings,
    SlotList,
    Text,
    TextList,
)

ACTIONS_FILE = "actions.yaml"

_SHIPPED = Path(assistant.__file__).parent / "contexts"


def load_context(
    path_or_name: str | os.PathLike[str], folders: tuple[Path, ...] = (), home: Path | None = None
) -> Context:
    """Load a context from its folder, or by its name: one in `folders` (the user's), or one of this package.

    home: the user's home.yaml, for a context that asks for the home; without one the example in its folder is taken.
    Raises ContextError when there is no such context, and ContextFaults (a ContextError) with every fault in its files.
    """
    folder = find_context(path_or_name, folders)
    faults = Faults()
    header = read_settings(folder, faults)
    source = read_sentences(folder, header, faults)
    own_home = _lend(source, folder, home, faults) if header.home else None
    responses = read_responses(folder, faults)
    actions, action_places = _read_actions(folder, faults)
    resolved = resolve(source, faults)
    if header.together is not None and not faults:
        join(resolved, header.together, header.together_place, faults)
    if faults:
        raise ContextFaults(shown(folder), faults)
    if not resolved.templates:
        raise ContextError("nothing can be said in it", where=shown(folder), remedy="add an intent with sentences")
    return Context(
        name=header.name or folder.resolve().name,
        folder=str(folder),
        templates=tuple(resolved.templates),
        rules=MappingProxyType(resolved.rules),
        lists=MappingProxyType(resolved.lists),
        responses=responses.templates,
        actions=actions,
        settings=header.settings,
        hash=_hash(resolved, header.settings),
        notes=(*resolved.notes, *cross_check(resolved, responses, actions, action_places)),
        home=own_home,
        family=_family(folder) if header.home else "",
    )


def find_context(path_or_name: str | os.PathLike[str], folders: tuple[Path, ...] = ()) -> Path:
    """Return the folder of a context given by path, or by the name it has in `folders` or here. Raises ContextError."""
    given = os.fspath(path_or_name)
    path = Path(given).expanduser()
    if (path / SENTENCES_FOLDER).is_dir():
        return path
    if os.sep not in given:
        for folder in (*folders, _SHIPPED):
            if (folder / given / SENTENCES_FOLDER).is_dir():
                return folder / given
    if path.is_dir():
        raise ContextError(f"has no folder {SENTENCES_FOLDER}/", where=given, remedy="see `assistant context new`")
    names = context_names(folders)
    known = did_you_mean(given, names) or f" (known: {', '.join(names)})"
    raise ContextError(f"no context '{given}'{known}", remedy="give a folder or one of these names")


def context_names(folders: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """Names by which contexts can be loaded: those in `folders`, then those of this package."""
    names: dict[str, None] = {}
    for folder in (*folders, _SHIPPED):
        if folder.is_dir():
            found = sorted(entry.name for entry in folder.iterdir() if (entry / SENTENCES_FOLDER).is_dir())
            names.update(dict.fromkeys(found))
    return tuple(names)


def shown(folder: str | os.PathLike[str]) -> str:
    """A folder as messages show it: relative to the current one where it lies below that and is shorter so."""
    relative = os.path.relpath(folder)
    return str(folder) if relative.startswith(os.pardir) else min(relative, str(folder), key=len)


def _lend(source: Source, folder: Path, home: Path | None, faults: Faults) -> Home:
    """Read the home and put its lists among those of the sentences. Raises ContextFaults for what is wrong in it."""
    path = home or folder / HOME_FILE
    found = load_home(path) if home or path.is_file() else Home()
    lists = home_lists(found, os.path.relpath(path, folder), with_in_area=IN_AREA in source.rules)
    for name, values in lists.items():
        if name in source.lists:
            what = f"list '{name}' comes from the home"
            faults.add(source.lists[name].place or Place(str(folder), 1), what, "call the context's own list otherwise")
        source.lists[name] = values
    source.lent = frozenset(lists)
    return found


def _read_actions(folder: Path, faults: Faults) -> tuple[Mapping[str, Action], Mapping[str, Place]]:
    """Actions by intent, and where each stands."""
    actions: dict[str, Action] = {}
    places: dict[str, Place] = {}
    path = folder / ACTIONS_FILE
    located = read_yaml(path, ACTIONS_FILE, faults) if path.exists() else None
    if located is not None and not isinstance(located.value, dict):
        faults.add(located.place, f"{ACTIONS_FILE} must be a mapping from intents to actions")
    elif located is not None:
        for intent, item in located.value.items():
            spec = read(item, ActionSpec, faults, f"the action of '{intent}'")
            if spec is not None:
                actions[intent] = Action(spec.skill, MappingProxyType(spec.parameters), spec.risk)
                places[intent] = located.keys[intent]
    return MappingProxyType(actions), places


def _hash(resolved: Resolved, settings: Settings) -> str:
    """SHA-256 over what the acceptor depends on, independent of places and of the order of names."""
    content = {
        "language": settings.language,
        "spellings": {word: list(others) for word, others in settings.spellings.items()},
        "templates": [[t.intent, _node(t.node), dict(t.slots), t.weight] for t in resolved.templates],
        "rules": {name: _node(node) for name, node in resolved.rules.items()},
        "lists": {name: _list(values) for name, values in resolved.lists.items()},
    }
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def _family(folder: Path) -> str:
    """SHA-256 over the files of sentences: what homes with the same sentences have in common."""
    digest = hashlib.sha256()
    for path in sentence_files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _list(values: SlotList) -> list[Any]:
    if isinstance(values, TextList):
        return ["text", [[_node(v.node), v.value, v.weight] for v in values.values]]
    if isinstance(values, NumberList):
        return ["number", values.start, values.stop, values.step, values.halves, values.multiplier]
    return ["wildcard"]


def _node(node: Node) -> Any:
    if isinstance(node, Text):
        return node.text
    if isinstance(node, Sequence):
        return [_node(item) for item in node.items]
    if isinstance(node, Choice):
        return {"choice": [_node(item) for item in node.items], "weights": list(node.weights)}
    if isinstance(node, ListRef):
        return {"list": node.list, "slot": node.slot}
    return {"rule": node.rule}
