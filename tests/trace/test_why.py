"""`assistant why` and `assistant forget` on decisions that the program itself recorded."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from assistant.cli.main import main
from assistant.grammar.tree import Context
from assistant.trace.file import FILE, TraceFile
from assistant.trace.writing import record_of
from assistant.types import SAMPLE_RATE_HZ
from tests.trace.decisions import ROOMY, typed

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("why", "last")` is the exit code and what was printed; the state is this test's own."""

    def run_one(*arguments: str) -> tuple[int, str]:
        code = main([*arguments, "--set", f"paths.state={tmp_path}"])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run_one


def say(run: Run, text: str, *more: str) -> None:
    code, printed = run("say", "--context", "examples/barista", text, *more)
    assert code == 0, printed


@pytest.fixture(autouse=True)
def in_the_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


def test_what_was_typed_is_explained(run: Run) -> None:
    say(run, "can I have a large latte")
    code, printed = run("why")
    assert code == 0
    assert "Typed, not spoken" in printed
    assert re.search(r"Accepted, \d+% sure: orderDrink\(size=large, coffeeDrink=latte\)", printed)
    assert run("why", "last") == (code, printed)


def test_the_list_names_each_decision_and_a_part_of_an_id_finds_it(run: Run) -> None:
    for text in ("can I have a large latte", "open the pod bay doors"):
        say(run, text)
    code, printed = run("why", "list")
    assert code == 0
    first, second = printed.splitlines()[1:]
    assert "accept “can I have a large latte”" in first
    assert "refuse" in second
    id_ = first.split()[0]
    assert run("why", id_[3:])[1].startswith(id_)
    listed = json.loads(run("why", "list", "--json", "--limit", "1")[1])
    assert [row["outcome"] for row in listed] == ["refuse"]


def test_json_is_the_whole_record(run: Run) -> None:
    say(run, "can I have a large latte")
    record = json.loads(run("why", "--json")[1])
    assert record["thresholds"]["ask_margin"] == 2.0
    assert record["hypotheses"][0]["slots"] == {"size": "large", "coffeeDrink": "latte"}


def test_answers_to_a_question_are_recorded_with_what_they_confirmed_and_all_agree_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["a large lattte", "yes", "no", "make me a mocha", "", ""]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    code, printed = run("repl", "--context", "examples/barista", "--json")
    assert code == 0, printed
    decisions = [json.loads(line[line.index("{") :]) for line in printed.splitlines() if "{" in line]
    recorded = json.loads(run("why", "list", "--json")[1])
    assert [row["outcome"] for row in recorded] == [row["outcome"] for row in decisions]
    assert recorded[0]["outcome"] == "ask"
    assert recorded[1]["slots"] == recorded[0]["slots"]
    explained = run("why", recorded[1]["id"])[1]
    assert "The question that was open decided it: “yes” confirmed" in " ".join(explained.split())
    assert run("why", "list", "--replay") == (0, "4 of 4 decisions agree when decided again.\n")


def test_a_replay_of_one_decision_agrees(run: Run) -> None:
    say(run, "can I have a large latte")
    code, printed = run("why", "--replay")
    assert (code, printed.split(maxsplit=1)[1]) == (0, "decided again: agrees\n")
    assert json.loads(run("why", "--replay", "--json")[1])["agrees"] is True


def test_a_record_that_does_not_agree_is_shown_field_by_field_with_exit_code_1(
    run: Run, tmp_path: Path, barista: Context
) -> None:
    record = record_of(typed("can I have a large latte", barista), "x")
    forged = msgspec.structs.replace(record.decided, outcome="refuse", confidence=0.5)
    file = TraceFile(tmp_path, ROOMY)
    file.add(lambda id_: msgspec.structs.replace(record, id=id_, decided=forged), record.at, record.at)
    file.close()
    for what in ("last", "list"):
        code, printed = run("why", what, "--replay")
        assert code == 1
        assert re.search(r"outcome\s+refuse\s+accept", printed)
        assert re.search(r"confidence\s+0\.5", printed)
        assert "slots" not in printed


def test_nothing_is_recorded_when_the_trace_is_off(run: Run, tmp_path: Path) -> None:
    say(run, "can I have a large latte", "--set", "trace.enabled=false")
    assert list(tmp_path.iterdir()) == []
    code, printed = run("why")
    assert code == 8
    assert "no decision is recorded; say something to it first" in printed
    assert run("why", "list") == (0, "No decision is recorded yet.\n")


def test_forgetting_the_last_one_by_id_by_age_and_everything(run: Run) -> None:
    for text in ("can I have a large latte", "a mocha", "an espresso", "a small latte"):
        say(run, text)
    ids = [row["id"] for row in json.loads(run("why", "list", "--json")[1])]
    assert run("forget", "last") == (0, "Forgot 1 decision.\n")
    assert run("forget", ids[0]) == (0, "Forgot 1 decision.\n")
    assert [row["id"] for row in json.loads(run("why", "list", "--json")[1])] == ids[1:3]
    assert run("forget", "--before", "1") == (0, "Forgot 0 decisions.\n")
    assert run("forget", "--before", "0") == (0, "Forgot 2 decisions.\n")
    assert run("forget", "--all", "--json") == (0, '{\n  "forgotten": 0\n}\n')


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("forget",), "give last, an ID, --all or --before DAYS"),
        (("forget", "last", "--all"), "give last, an ID, --all or --before DAYS"),
        (("forget", "--before", "-1"), "--before must be 0 days or more"),
        (("why", "list", "--plot", "x.svg"), "of one decision"),
        (("why", "--limit", "0"), "--limit must be 1 or more"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_said(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    code, printed = run(*arguments)
    assert code == 2
    assert complaint in printed


def test_a_picture_is_written_as_svg_and_another_suffix_is_refused(run: Run, tmp_path: Path) -> None:
    say(run, "can I have a large latte")
    path = tmp_path / "why.svg"
    assert run("why", "--plot", str(path)) == (0, "")
    assert path.read_text(encoding="utf-8").startswith("<svg ")
    assert run("why", "--plot", str(tmp_path / "why.gif"))[0] == 2
    assert run("why", "--plot", str(tmp_path / "no/why.svg"))[0] == 8


def test_a_png_needs_a_package_and_says_which(run: Run, tmp_path: Path) -> None:
    say(run, "can I have a large latte")
    script = (
        "import sys; sys.modules['resvg_py'] = None\nfrom assistant.cli.main import main\n"
        f"sys.exit(main(['why', '--plot', {str(tmp_path / 'why.png')!r}, '--set', 'paths.state={tmp_path}']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert "install the extra `plot`, or draw an .svg" in done.stderr


def test_a_png_is_drawn_where_the_package_is(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="the extra `plot` is not installed")
    say(run, "can I have a large latte")
    path = tmp_path / "why.png"
    assert run("why", "--plot", str(path)) == (0, "")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_record_of_a_newer_program_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    say(run, "can I have a large latte")
    database = sqlite3.connect(tmp_path / FILE)
    database.execute("PRAGMA user_version = 99")
    database.close()
    code, printed = run("why")
    assert code == 8
    assert "written by a newer version (schema 99" in printed
    assert run("forget", "--all")[0] == 0


@pytest.mark.real
def test_kept_sound_is_heard_again_to_the_same_decision(
    run: Run, tmp_path: Path, spoken: Callable[[str], NDArray[np.int16]]
) -> None:
    path = tmp_path / "order.wav"
    soundfile.write(path, spoken("can I have a large latte with milk"), SAMPLE_RATE_HZ)
    listen = ("run", "--source", str(path), "--context", "examples/barista", "--quiet")
    code, printed = run(*listen)
    assert code == 0, printed
    code, printed = run("why", "--replay-sound")
    assert code == 3
    assert "its sound was not kept; set trace.sound to true" in printed
    run(*listen, "--set", "trace.sound=true")
    code, printed = run("why", "--replay-sound")
    assert (code, printed.split(maxsplit=1)[1]) == (0, "heard and decided again: agrees\n")
    assert "speech" in run("why")[1]
    svg = tmp_path / "why.svg"
    run("why", "--plot", str(svg))
    assert ">Sound<" in svg.read_text(encoding="utf-8")
    assert run("why", "list", "--replay")[0] == 0
