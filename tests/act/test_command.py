"""Programs that a sentence starts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.act.command import MOST_OUTPUT, Command, inherited, run
from assistant.act.skill import Result

Run = Callable[..., Any]


def ask(run: Run, arguments: list[str], *, confirmed: bool = True, **slots: Any) -> Result:
    assistant = run(Command(), parameters={"Do": {"run": arguments}})
    result: Result = assistant.ask("command", "Do", confirmed=confirmed, **slots)
    return result


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_runs_and_its_output_can_be_said(run: Run) -> None:
    result = ask(run, ["echo", "{who} is", "here"], who="  Bob;  rm -rf / $(id) ")
    assert (result.ok, result.values["output"]) == (True, "Bob; rm -rf / $(id) is here")


def test_each_slot_stays_one_argument(run: Run) -> None:
    result = ask(run, [*python("import sys; print(sys.argv[1:])"), "{a}", "--b={b}"], a="x y; z", b="-1 2")
    assert result.values["output"] == "['x y; z', '--b=-1 2']"


def test_it_asks_before_it_runs_anything(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "made"
    asked = ask(run, ["touch", str(target)], confirmed=False)
    assert asked.text == "Shall I run touch?"
    assert asked.question is not None
    assert not target.exists()
    assert ask(run, ["touch", str(target)]).ok
    assert target.exists()


def test_a_harmless_program_need_not_be_asked_about(run: Run) -> None:
    assistant = run(Command(), parameters={"Do": {"run": ["true"], "ask": False}})
    assert assistant.ask("command", "Do").ok


@pytest.mark.parametrize(
    ("arguments", "slots", "words"),
    [
        (["no-such-program-here"], {}, "could not start no-such-program-here"),
        (["false"], {}, "false failed with code 1"),
        (["rm", "{what}"], {"what": "-rf"}, "would be an option"),
        (["echo", "{who}"], {}, "no slot who"),
        ([], {}, "run is empty"),
        (["echo", "{env:NOT_THERE_AT_ALL}"], {}, "no NOT_THERE_AT_ALL"),
        (["echo", "{who}"], {"who": "a\0b"}, "zero byte"),
    ],
)
def test_what_goes_wrong_is_said(run: Run, arguments: list[str], slots: dict[str, Any], words: str) -> None:
    result = ask(run, arguments, **slots)
    assert not result.ok
    assert words in result.text


def test_parameters_that_are_wrong_are_named(run: Run) -> None:
    assistant = run(Command(), parameters={"Do": {"run": "echo hello"}})
    assert "expected `array`, got `str`" in assistant.ask("command", "Do", confirmed=True).text


def test_a_program_that_takes_too_long_is_killed_with_its_children() -> None:
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); time.sleep(600)"
    ended = run(python(code), timeout_s=1.0, environment=inherited())
    assert ended.timed_out
    assert is_gone(int(ended.output))


def test_a_program_that_closes_its_output_and_stays_is_killed_too() -> None:
    ended = run(["sh", "-c", "exec >&- 2>&-; sleep 600"], timeout_s=0.5, environment=inherited())
    assert ended.timed_out


def test_endless_output_is_kept_only_as_far_as_it_is_of_use() -> None:
    ended = run(["yes"], timeout_s=0.5, environment=inherited())
    assert ended.timed_out
    assert len(ended.output) == MOST_OUTPUT


def test_it_gets_little_of_the_environment_and_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_OF_OURS", "x")
    ended = run(["env"], timeout_s=10, environment={**inherited(), "MORE": "1"})
    names = {line.partition("=")[0] for line in ended.output.splitlines()}
    assert "SOMETHING_OF_OURS" not in names
    assert {"PATH", "MORE"} <= names
    assert run(["cat"], timeout_s=10, environment=inherited()).code == 0


def is_gone(process: int, patience_s: float = 20.0) -> bool:
    """Wait until a process has ended: a killed one is taken away by init in its own time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            status = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return True
        if status.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False
