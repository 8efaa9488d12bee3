"""A context that an importer has made, before it is written as a folder of YAML files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from assistant.errors import StorageError

DEFAULT_REPLY = "Okay."

_TEMPLATE_SIGNS = re.compile(r"[\\(){}\[\]<>|;]")


@dataclass(slots=True)
class Draft:
    """A context before it is written: plain values for the YAML files."""

    name: str
    language: str = "en"
    intents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lists: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    skip_words: list[str] = field(default_factory=list)
    responses: dict[str, dict[str, str]] = field(default_factory=dict)
    tests: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def escape(text: str) -> str:
    """Plain words as a template: signs of the syntax get a backslash."""
    return _TEMPLATE_SIGNS.sub(lambda match: "\\" + match[0], text)


def write_draft(draft: Draft, out: Path) -> None:
    """Write a draft as a context folder. Raises StorageError."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError("is there already", where=str(out), remedy="choose a new folder")
    sentences: dict[str, Any] = {"language": draft.language}
    if draft.skip_words:
        sentences["skip_words"] = draft.skip_words
    sentences["intents"] = {intent: {"data": groups} for intent, groups in draft.intents.items()}
    if draft.rules:
        sentences["expansion_rules"] = draft.rules
    if draft.lists:
        sentences["lists"] = draft.lists
    replies = {intent: draft.responses.get(intent, {"default": DEFAULT_REPLY}) for intent in draft.intents}
    files = {
        "context.yaml": {"name": draft.name, "language": draft.language},
        "sentences/imported.yaml": sentences,
        "responses/imported.yaml": {"language": draft.language, "responses": {"intents": replies}},
        "actions.yaml": {intent: {"skill": "say"} for intent in draft.intents},
    }
    if draft.tests:
        files["tests.yaml"] = draft.tests  # type: ignore[assignment]
    try:
        for name, content in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            dumped = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
            path.write_text(dumped, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=str(out)) from None
