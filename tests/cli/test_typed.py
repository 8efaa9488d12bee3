"""`assistant say` and `assistant repl`: typed commands without loading any engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import Program

LATTE = {"size": "large", "coffeeDrink": "latte", "milkAmount": "milk"}


def test_a_misspelt_command_is_understood_and_answered(program: Program) -> None:
    (row,) = program.rows("say", "--context", "barista", "can I have a lareg latte with mlik", "--json")
    assert (row["intent"], row["slots"], row["outcome"]) == ("orderDrink", LATTE, "accept")
    assert row["engine"] == "text"
    assert row["reply"]


def test_people_see_what_was_understood_and_why_not(program: Program) -> None:
    done = program.run("say", "--context", "barista", "what is the weather like in Paris")
    assert done.returncode == 0
    assert done.stdout.startswith("refuse")
    assert "because" in done.stdout


@pytest.mark.parametrize("end", ["\n", ""])
def test_lines_are_understood_one_after_another_until_an_empty_one_or_the_end(program: Program, end: str) -> None:
    lines = "brew a mocha\nget me a small coffee\n" + end
    rows = program.rows("repl", "--context", "barista", "--json", given=lines.encode())
    assert [row["slots"] for row in rows] == [{"coffeeDrink": "mocha"}, {"size": "small", "coffeeDrink": "coffee"}]


def test_no_recogniser_is_loaded_for_typed_commands(tmp_path: Path) -> None:
    script = (
        "import sys, assistant.cli.main as m\n"
        "m.main(['say', '--context', 'barista', 'brew a mocha', '--json'])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert not {"onnxruntime", "onnx", "moonshine_voice", "hibari", "sounddevice"} & set(done.stderr.split())
