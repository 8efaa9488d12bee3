"""`assistant plugins`, `timers`, `lists` and `skill`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.act.database import Database
from assistant.act.health import note_failing
from assistant.act.plugins import State, Status
from assistant.act.skill import Services
from assistant.act.skills import open_skills
from assistant.act.timers import FILE, MIGRATIONS
from assistant.cli.assembly import installed_voices, open_recognizer
from assistant.cli.main import main
from assistant.clock import SystemClock
from assistant.config import Config, Plugins
from assistant.errors import ConfigError, PluginError
from assistant.grammar.tree import Action, Context, Settings
from assistant.types import EMPTY


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def run(state: Path, *arguments: str) -> int:
    return main([*arguments, "--set", f"paths.state={state}"])


def do(state: Path, skill: str, intent: str, **slots: Any) -> None:
    """Let a skill act as the assistant would."""
    skills = open_skills(Services(SystemClock(), state))
    context = Context("", "", (), EMPTY, EMPTY, EMPTY, {intent: Action(skill)}, Settings(), "")
    assert skills.act(context, intent, slots).ok
    skills.close()


def test_timers_are_listed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "timers") == 0
    assert capsys.readouterr().out == "No timer is set.\n"
    do(state, "timers", "HassStartTimer", hours=2, name="roast")
    assert run(state, "timers", "--json") == 0
    (timer,) = json.loads(capsys.readouterr().out)["timers"]
    assert (timer["title"], timer["state"]) == ("roast timer", "running")
    assert 7000 < timer["remaining_s"] <= 7200
    assert run(state, "timers") == 0
    assert "roast timer  running" in capsys.readouterr().out


def test_lists_are_shown(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "lists") == 0
    assert capsys.readouterr().out == "No list has anything on it.\n"
    for item in ("milk", "eggs"):
        do(state, "lists", "HassShoppingListAddItem", item=item)
    do(state, "lists", "HassShoppingListCompleteItem", item="milk")
    assert run(state, "lists") == 0
    assert capsys.readouterr().out == "shopping\n  - eggs\n"
    assert run(state, "lists", "shopping", "--all", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "lists": {"shopping": [{"text": "milk", "done": True}, {"text": "eggs", "done": False}]}
    }


def unheard(text: str, *, ring: bool = True) -> None:
    """Nobody listens."""


def plugins(state: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    code = run(state, "plugins", "--json")
    found = json.loads(capsys.readouterr().out)["plugins"]
    return code, {(plugin["group"], plugin["name"]): plugin for plugin in found}


def test_every_plug_in_of_ours_is_listed_and_works(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = plugins(state, capsys)
    for group, name in (("recognizers", "moonshine"), ("voices", "hibari"), ("skills", "timers"), ("skills", "home")):
        assert found[group, name]["state"] == "enabled"


def test_a_skill_that_the_running_assistant_gave_up_is_shown_until_it_is_started_again(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note_failing(state, Status("skills", "lists", State.FAILING, "ZeroDivisionError"))
    code, found = plugins(state, capsys)
    assert (code, found["skills", "lists"]["state"], found["skills", "lists"]["reason"]) == (
        1,
        "failing",
        "ZeroDivisionError",
    )
    open_skills(Services(SystemClock(), state, announce=unheard)).close()
    assert plugins(state, capsys)[1]["skills", "lists"]["state"] == "enabled"


def test_a_state_file_of_a_newer_version_is_a_config_error(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Database(state / "skills/timers" / FILE, (*MIGRATIONS, "CREATE TABLE more (x INTEGER)")).close()
    code, found = plugins(state, capsys)
    assert code == 1
    assert found["skills", "timers"]["state"] == "config error"
    assert run(state, "timers") == 8
    assert "newer version" in capsys.readouterr().err


def test_only_one_group_is_listed_on_demand(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(state, "plugins", "skills")
    shown = capsys.readouterr().out
    assert "timers" in shown
    assert "moonshine" not in shown
    assert run(state, "plugins", "hats") == 2
    assert "one of: recognizers, voices, skills, wakewords, policies" in capsys.readouterr().err


def test_a_new_skill_is_written_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["skill", "new", "coffee", str(tmp_path / "coffee")]) == 0
    assert "pyproject.toml" in capsys.readouterr().out
    assert main(["skill", "new", "coffee", str(tmp_path / "coffee")]) == 8


def test_a_plugin_that_the_configuration_does_not_want_is_disabled(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unwanted = "[lists, voices.espeak]"
    code = run(state, "plugins", "--json", "--set", f"plugins.disabled={unwanted}")
    rows = json.loads(capsys.readouterr().out)["plugins"]
    states = {(row["group"], row["name"]): row["state"] for row in rows}
    assert (states["skills", "lists"], states["voices", "espeak"]) == ("disabled", "disabled")
    assert states["skills", "timers"] == "enabled"
    assert code in (0, 1)
    assert not (state / "skills/lists").exists()


def test_a_disabled_plugin_that_is_not_there_is_a_mistake(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(state, "plugins", "--set", "plugins.disabled=[listz]") == ConfigError.exit_code
    assert "no plug-in 'listz' (did you mean 'lists'?)" in capsys.readouterr().err


def test_what_is_switched_off_is_neither_opened_nor_taken_in_place_of_another() -> None:
    config = Config(plugins=Plugins(disabled=("hibari", "recognizers.moonshine")))
    assert "hibari" not in installed_voices(config)
    with pytest.raises(PluginError, match="'moonshine' is switched off"):
        open_recognizer(config)
