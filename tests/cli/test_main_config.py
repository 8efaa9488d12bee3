"""`assistant config`: values with their origin, checks for programs, and an editor that cannot break the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli.main import main
from assistant.config.keys import KEYS


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    return tmp_path


def editor_that(action: str, folder: Path) -> str:
    """An editor that does one thing to its file: a shell line in which $1 is the file."""
    script = folder / "editor"
    script.write_text(f"#!/bin/sh\n{action}\n")
    script.chmod(0o755)
    return str(script)


def test_show_prints_every_value_and_who_set_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--origin", "--json", "--set", "audio.channels=2"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == list(KEYS)
    assert shown["audio.channels"] == {"value": 2, "origin": "--set audio.channels=2"}
    assert shown["audio.device"] == {"value": "default", "origin": "default"}


def test_show_of_a_section_prints_only_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "speak"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["key", "value"], ["speak.voice", "auto"], ["speak.output", "null"]]


def test_check_for_programs_lists_what_where_and_remedy(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "new.yaml"
    file.write_text("contxt: x\n")
    assert main(["config", "check", "--json", str(file)]) == 5
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "errors": [{"what": "there is no key 'contxt'", "where": f"{file}:1", "remedy": "did you mean 'context'?"}],
    }
    file.write_text("context: barista\n")
    assert main(["config", "check", "--json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_edit_starts_from_a_file_with_every_key(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDITOR", editor_that("sed -i 's/^#context: home/context: barista/' \"$1\"", home))
    assert main(["config", "edit"]) == 0
    file = home / ".config/assistant/config.yaml"
    assert capsys.readouterr().out == f"ok: {file}\n"
    assert "\ncontext: barista\n" in file.read_text()
    assert all(name.rpartition(".")[2] + ":" in file.read_text() for name in KEYS)


def test_edit_keeps_the_file_when_the_new_text_is_wrong_and_the_text_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / ".config/assistant/config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("context: barista\n")
    monkeypatch.setenv("EDITOR", editor_that('echo "contxt: home" >> "$1"', home))
    assert main(["config", "edit"]) == 5
    assert file.read_text() == "context: barista\n"
    (draft,) = file.parent.glob("config-*.yaml")
    assert draft.read_text() == "context: barista\ncontxt: home\n"
    assert capsys.readouterr().err.splitlines() == [
        f"{file} is as it was; your text is kept in {draft}",
        f"assistant: {draft}:2: there is no key 'contxt'; did you mean 'context'?",
    ]


def test_edit_without_a_change_writes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    assert main(["config", "edit"]) == 0
    assert capsys.readouterr().out == "nothing changed\n"
    assert list((home / ".config/assistant").iterdir()) == []


def test_edit_where_nothing_can_be_written_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".config").write_text("a file stands in the way, which stops root too")
    monkeypatch.setenv("EDITOR", "true")
    assert main(["config", "edit"]) == 8
    assert "cannot be written" in capsys.readouterr().err
