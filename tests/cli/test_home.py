"""`assistant home …` as a person or a script uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli.main import main
from assistant.errors import ContextError, UsageError


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in argv])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A home.yaml that `home new` wrote."""
    path = tmp_path / "mine" / "home.yaml"
    code, out, _ = run(capsys, "home", "new", path)
    assert code == 0
    assert f"assistant home check {path}" in out
    return path


def test_a_new_home_can_be_used_at_once(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "home", "check", own)
    assert code == 0
    assert out.splitlines()[-1].endswith("7 areas, 28 devices, 2 scenes, 2 lists; it can be used")


def test_a_home_is_never_overwritten(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "home", "new", own)
    assert code == UsageError.exit_code
    assert "is there already" in err


def test_check_tells_every_fault_and_leaves_with_the_code_of_contexts(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text("areas: [hall]\ndevices:\n  - {name: lamp, area: hal, domain: light}\n  - {name: fan}\n")
    code, _, err = run(capsys, "home", "check", own)
    assert code == ContextError.exit_code
    assert f"{own}:3: there is no area 'hal' (did you mean 'hall'?)" in err
    assert f"{own}:4: device 'fan' has no domain" in err


def test_check_tells_what_will_not_be_heard_and_what_will_be_asked(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text(
        "areas: [hall, attic]\n"
        "devices:\n"
        "  - {name: lamp, area: hall, domain: light}\n"
        "  - {name: lamp, area: attic, domain: light}\n"
        "  - {name: 台所の灯り, domain: light}\n",
        encoding="utf-8",
    )
    code, out, _ = run(capsys, "home", "check", own, "--json", "--strict")
    found = {note["line"]: note["what"] for note in json.loads(out)["notes"]}
    assert code == 1
    assert "'lamp' may be 2 devices (also line 4); it will ask which" in found[3]
    assert "cannot write '台所の灯り'" in found[5]


def test_list_shows_devices_by_area_and_what_is_asked_about(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "home", "list", own)
    assert code == 0
    (door,) = [line for line in out.splitlines() if "front door" in line]
    assert door.split() == ["hallway", "front", "door", "lock,", "asks", "first", "lock.front_door"]
    assert "scenes: movie night, good night" in out


def test_the_schema_is_json_that_names_the_domains(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "home", "schema")
    assert code == 0
    assert "media_player" in json.loads(out)["$defs"]["DeviceSpec"]["properties"]["domain"]["enum"]


def test_the_configured_home_is_what_can_be_said(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own.write_text("areas: [shed]\ndevices: [{name: saw, area: shed, domain: switch}]\n", encoding="utf-8")
    found = [
        json.loads(run(capsys, "--set", f"home.file={own}", "say", "--context", "home", "--json", text)[1])
        for text in ("turn on the saw in the shed", "turn on the desk lamp")
    ]
    assert found[0]["slots"] == {"name": "saw"}
    assert not found[1]["accepted"]
