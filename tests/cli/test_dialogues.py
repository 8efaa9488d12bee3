"""`assistant context test --dialogue`, and `assistant say` that acts on what outlives it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.blocks import Pcm, silence, voiced
from tests.cli.program import Program

GOOD = '- name: stop\n  turns: [{say: stop, expect: ""}]\n'
WRONG = "- name: wrong\n  turns:\n    - {say: turn on the desk lamp, expect: No.}\n"


def test_dialogues_are_played_and_counted(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "evening.yaml"
    file.write_text(GOOD)
    done = program.run("context", "test", "home", "--dialogue", str(file))
    assert (done.returncode, done.stdout) == (0, "home: 1 of 1 dialogue as expected\n")


def test_a_dialogue_that_goes_otherwise_is_shown_with_its_line(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "evening.yaml"
    file.write_text(GOOD + WRONG)
    done = program.run("context", "test", "home", "--dialogue", str(file))
    assert done.returncode == 1
    assert "evening.yaml:5: wrong: “turn on the desk lamp” should be answered “No.”" in done.stdout
    listed = json.loads(program.run("context", "test", "home", "--dialogue", str(file), "--json").stdout)
    assert (listed["passed"], listed["failed"]) == (1, 1)
    assert [len(test["faults"]) for test in listed["tests"]] == [0, 1]


def test_what_one_command_started_the_next_one_knows(program: Program) -> None:
    (started,) = program.rows("say", "set a tea timer for twenty minutes", "--json")
    assert started["reply"] == "Timer set for 20 minutes, called tea."
    (stopped,) = program.rows("say", "cancel the tea timer", "--json")
    assert stopped["reply"] == "The tea timer is cancelled."


def test_typed_lines_follow_up_each_other(program: Program) -> None:
    rows = program.rows("repl", "--json", given=b"turn on the desk lamp\nturn it off\ncancel that\n")
    replies = ["The desk lamp is on.", "The desk lamp is off.", "All right, I took that back."]
    assert [row["reply"] for row in rows] == replies


def test_understanding_text_does_nothing(program: Program, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("set a laundry timer for twenty minutes\n")
    (row,) = program.rows("understand", "--text", str(lines), "--jsonl")
    assert row["intent"] == "HassStartTimer"
    (asked,) = program.rows("say", "how long is left on the laundry timer", "--json")
    assert "no" in asked["reply"]


@pytest.mark.real
def test_a_recording_with_a_wake_word_is_heard_after_the_word_only(
    program: Program, spoken: object, recordings: object, tmp_path: Path
) -> None:
    assert callable(spoken)
    assert callable(recordings)
    word: Pcm = soundfile.read(recordings("wakeword/alexa") / "197.flac", dtype="int16")[0]
    before, command = (voiced(spoken(text)) for text in ("Turn on the bedroom lights.", "Turn on the kitchen lights."))
    sound = np.concatenate([silence(1.5), before, silence(1.5), word, silence(0.1), command, silence(1.5)])
    soundfile.write(tmp_path / "wake.wav", sound, 16_000)
    rows = program.rows("run", "--wake", "alexa", "--source", str(tmp_path / "wake.wav"), "--quiet", "--json")
    assert [row["slots"].get("area") for row in rows] == ["kitchen"]
