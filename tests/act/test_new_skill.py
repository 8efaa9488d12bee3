"""The skill that `assistant skill new` writes works as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.act.new import write_new_skill
from assistant.errors import StorageError, UsageError
from assistant.grammar.load import load_context
from assistant.grammar.match import match


def test_its_own_tests_pass(tmp_path: Path) -> None:
    write_new_skill("coffee_maker", tmp_path / "new")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "new",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_its_sentences_lead_to_it(tmp_path: Path) -> None:
    write_new_skill("coffee_maker", tmp_path / "new")
    context = load_context(str(tmp_path / "new/context"))
    (meaning, *_) = match(context, "count two apples")
    assert (meaning.intent, context.actions[meaning.intent].skill) == ("Count", "coffee_maker")
    assert meaning.slots == {"number": 2, "thing": "apples"}


@pytest.mark.real
def test_once_it_is_installed_the_assistant_finds_it(tmp_path: Path) -> None:
    write_new_skill("coffee_maker", tmp_path / "new")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*install, str(site), str(tmp_path / "new")], check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-m", "assistant", "plugins", "skills"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(site), "XDG_STATE_HOME": str(tmp_path)},
    )
    (line,) = [line for line in done.stdout.splitlines() if "coffee_maker" in line]
    assert line.split()[:3] == ["skills", "coffee_maker", "enabled"]
    assert "assistant-skill-coffee-maker 0.1.0" in line


@pytest.mark.parametrize("name", ["Coffee", "2cups", "a-b", "", "class", "timers"])
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        write_new_skill(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(StorageError, match="something already"):
        write_new_skill("coffee", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
