"""A home that cannot be written stops nothing; one that can holds only what is ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NAMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "TMPDIR")


@pytest.fixture
def order(recordings: Callable[[str], Path]) -> Path:
    """One recorded order."""
    return min((recordings("barista") / "audio").glob("*.flac"))


class Machine:
    """Runs the assistant with all its folders below one that cannot be written, or below one of its own."""

    def __init__(self, repository: Path, folder: Path, temporary: Path) -> None:
        self._repository = repository
        self._environment = {**os.environ, **{name: str(folder / name.lower()) for name in NAMES}}
        self._environment["TMPDIR"] = str(temporary)

    def run(self, *arguments: object) -> tuple[str, str]:
        """What it printed on standard output and standard error; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "assistant", *map(str, arguments)],
            cwd=self._repository,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr


@pytest.fixture
def read_only(repository: Path, tmp_path: Path) -> Machine:
    """A file stands where the home should be, which stops root too; only the folder for temporary files is there."""
    blocked, temporary = tmp_path / "blocked", tmp_path / "temporary"
    blocked.write_text("")
    temporary.mkdir()
    return Machine(repository, blocked, temporary)


def only_warns(said: str) -> bool:
    """Nothing but our own line that the cache cannot be kept."""
    lines = said.splitlines()
    return bool(lines) and all("cannot be written" in line and line.startswith("assistant: ") for line in lines)


@pytest.mark.real
def test_recordings_are_understood_with_a_home_that_cannot_be_written(read_only: Machine, order: Path) -> None:
    out, err = read_only.run("understand", "--context", "barista", "--jsonl", order)
    assert json.loads(out)["intent"] == "orderDrink"
    assert only_warns(err)


def test_typed_commands_are_understood_with_a_home_that_cannot_be_written(read_only: Machine) -> None:
    out, err = read_only.run("say", "--context", "barista", "--json", "can I have a large latte")
    assert json.loads(out)["slots"] == {"size": "large", "coffeeDrink": "latte"}
    (line,) = err.splitlines()
    assert line.startswith("assistant: decisions are not recorded: ")


@pytest.mark.real
def test_it_speaks_with_a_home_that_cannot_be_written(read_only: Machine, tmp_path: Path) -> None:
    _, err = read_only.run("speak", "Dinner is ready.", "--out", tmp_path / "dinner.wav")
    assert (tmp_path / "dinner.wav").stat().st_size > 10_000
    assert only_warns(err)


@pytest.mark.real
def test_no_library_leaves_anything_beside_our_own_cache(repository: Path, tmp_path: Path, order: Path) -> None:
    """onnxruntime would otherwise keep an identifier of the machine there, to send with what it reports."""
    (tmp_path / "temporary").mkdir()
    machine = Machine(repository, tmp_path / "home", tmp_path / "temporary")
    machine.run("understand", "--context", "barista", "--jsonl", order)
    machine.run("speak", "Dinner is ready.", "--out", tmp_path / "dinner.wav")
    written = {path.relative_to(tmp_path / "home") for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert {path.parts[:2] for path in written} == {("xdg_cache_home", "assistant")}
