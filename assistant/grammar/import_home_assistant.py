"""Home Assistant's sentences as a draft context: custom_sentences/<language>/*.yaml, or the folder of one language.

Home Assistant adds lists (name, area, floor) and rules of its own when it loads such a folder. Rules and lists that are
missing are taken from the package home-assistant-intents where it is installed; the home's own lists get one example.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from assistant.errors import InputError
from assistant.grammar.draft import DEFAULT_REPLY, Draft
from assistant.grammar.places import ContextFaults, Faults, Located, read_yaml
from assistant.grammar.responses import ReplyError, render

EXAMPLES: dict[str, list[Any]] = {
    "name": [{"in": "desk lamp", "out": "desk lamp", "context": {"domain": "light"}}],
    "area": ["living room"],
    "floor": ["ground floor"],
}

_REFERENCE = re.compile(r"(?<!\\)(?:\{([^{}:]+)(?::[^{}]*)?\}|<([^<>]+)>)")
_JINJA_SLOT = re.compile(r"\{\{\s*slots\.(\w+)\s*(?:\|\s*\w+\s*)?\}\}")
_IGNORED = ("metadata", "required_keywords", "inferred_domain", "name_domains", "settings")


def read_home_assistant(folder: Path) -> Draft:
    """Read a folder of sentence files (and of responses, where there are some). Raises InputError, ContextFaults."""
    root = _language_folder(folder)
    draft = Draft(_name(root), root.name if re.fullmatch(r"[a-z]{2,3}(-\w+)?", root.name) else "en")
    faults = Faults()
    for path in sorted(root.rglob("*.yaml")):
        located = read_yaml(path, path.relative_to(root).as_posix(), faults)
        if located is not None and isinstance(located.value, dict):
            _take(draft, located, path)
    if faults:
        raise ContextFaults(str(root), faults)
    if not draft.intents:
        raise InputError("has no intents", where=str(root), remedy="give the folder custom_sentences or its language's")
    _complete(draft)
    return draft


def _language_folder(folder: Path) -> Path:
    inner = folder / "custom_sentences"
    folder = inner if inner.is_dir() else folder
    if list(folder.glob("*.yaml")):
        return folder
    languages = sorted(path for path in folder.iterdir() if path.is_dir() and list(path.rglob("*.yaml")))
    for preferred in (folder / "en", *languages[:1]):
        if preferred in languages:
            return preferred
    raise InputError("has no .yaml files", where=str(folder))


def _name(root: Path) -> str:
    """The nearest folder above the language's that has a name of its own."""
    above = [path.name for path in (root, *root.resolve().parents)[:3]]
    return next((name for name in above if name not in ("custom_sentences", "sentences", root.name, "")), "home")


def _take(draft: Draft, located: Located, path: Path) -> None:
    content: dict[str, Any] = located.plain()
    draft.language = content.get("language") or draft.language
    for intent, definition in (content.get("intents") or {}).items():
        if not isinstance(definition, dict) or not isinstance(definition.get("data"), list):
            raise InputError(f"intent '{intent}' has no data", where=str(path))
        groups = [{key: value for key, value in group.items() if key not in _IGNORED} for group in definition["data"]]
        draft.intents.setdefault(intent, []).extend(groups)
    draft.lists.update(content.get("lists") or {})
    draft.rules.update(content.get("expansion_rules") or {})
    draft.skip_words.extend(content.get("skip_words") or [])
    for intent, replies in ((content.get("responses") or {}).get("intents") or {}).items():
        for key, reply in replies.items():
            template = reply_template(str(reply))
            if template is None:
                draft.notes.append(f"{path.name}: reply '{key}' of {intent} is a program in Jinja and was left out")
            else:
                draft.responses.setdefault(intent, {})[key] = template


def reply_template(jinja: str) -> str | None:
    """A reply in the syntax of `assistant.grammar.responses`; None if it is more than text with slots."""
    if "{%" in jinja:
        return None
    text = re.sub(r"([\[\]()|])", r"\\\1", _JINJA_SLOT.sub(lambda slot: f"\x00{slot[1]}\x01", jinja))
    if "{" in text or "}" in text:
        return None
    template = " ".join(text.replace("\x00", "{").replace("\x01", "}").split())
    try:
        render(template, {})
    except ReplyError:
        return None
    return template


def _complete(draft: Draft) -> None:
    """Add what Home Assistant would have added: rules, lists, and the home's names."""
    builtin = _builtin_sentences(draft.language)
    todo = list(_templates(draft))
    while todo:
        for match in _REFERENCE.finditer(todo.pop()):
            list_name, rule = match[1], match[2]
            if rule and rule not in draft.rules and rule in builtin.get("expansion_rules", {}):
                draft.rules[rule] = builtin["expansion_rules"][rule]
                todo.append(draft.rules[rule])
            if list_name and not _is_defined(draft, list_name):
                if list_name in EXAMPLES:
                    draft.lists[list_name] = {"values": EXAMPLES[list_name]}
                    draft.notes.append(f"list '{list_name}' came from the home: put your own names under lists:")
                elif list_name in builtin.get("lists", {}):
                    draft.lists[list_name] = _without_metadata(builtin["lists"][list_name])
    if not builtin:
        draft.notes.append("home-assistant-intents is not installed: its rules and lists could not be added")
    for intent in draft.intents:
        draft.responses.setdefault(intent, {}).setdefault("default", DEFAULT_REPLY)


def _is_defined(draft: Draft, name: str) -> bool:
    local = (group.get("lists") or {} for groups in draft.intents.values() for group in groups)
    return name in draft.lists or ".." in name or any(name in lists for lists in local)


def _templates(draft: Draft) -> Iterator[str]:
    for groups in draft.intents.values():
        for group in groups:
            yield from map(str, group.get("sentences") or [])
            yield from map(str, (group.get("expansion_rules") or {}).values())
    yield from map(str, draft.rules.values())


def _without_metadata(definition: dict[str, Any]) -> dict[str, Any]:
    values = definition.get("values")
    if not isinstance(values, list):
        return definition
    kept = [{k: v for k, v in item.items() if k != "metadata"} if isinstance(item, dict) else item for item in values]
    return {**definition, "values": kept}


def _builtin_sentences(language: str) -> Mapping[str, Any]:
    try:
        folder = resources.files("home_assistant_intents") / "data"
    except ModuleNotFoundError:
        return {}
    path = folder / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
