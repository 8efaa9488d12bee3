"""Fixtures that write small context folders and load them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from assistant.grammar.load import load_context
from assistant.grammar.places import ContextFaults
from assistant.grammar.tree import Context


@pytest.fixture
def write_context() -> Callable[..., Path]:
    """Called with folder, sentences and other files: writes them and returns the folder."""
    return _write_context


@pytest.fixture
def context_of() -> Callable[..., Context]:
    """Called with folder, sentences and other files: writes and loads them."""
    return _context_of


@pytest.fixture
def faults_of() -> Callable[..., list[str]]:
    """Called with folder, sentences and other files: what the loader finds wrong, one line each."""
    return _faults_of


def _write_context(folder: Path, sentences: str, **others: str) -> Path:
    """Write sentences/main.yaml and other files; `responses` goes to responses/main.yaml, `actions` to actions.yaml."""
    names = {"responses": "responses/main.yaml", "actions": "actions.yaml", "context": "context.yaml"}
    files = {"sentences/main.yaml": sentences} | {names.get(name, name): text for name, text in others.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def _context_of(folder: Path, sentences: str, **others: str) -> Context:
    """The loaded context."""
    return load_context(_write_context(folder, sentences, **others))


def _faults_of(folder: Path, sentences: str, **others: str) -> list[str]:
    """What the loader finds wrong, one line each, without the folder."""
    with pytest.raises(ContextFaults) as caught:
        _context_of(folder, sentences, **others)
    return [line.removeprefix(f"{caught.value.folder}/") for line in str(caught.value).splitlines()]
