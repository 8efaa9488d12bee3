"""The program on arm64 with the Pythons of Debian bookworm and trixie: all of it by emulation (`make test-arm64`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from assistant.types import SAMPLE_RATE_HZ
from tests.arm64.conftest import VARIABLE
from tests.arm64.emulated import PLACE, SUITES, Board, Suite, made, missing

SAID = {
    # Compiled there. Two of these are misheard.
    "barista": (
        "a large latte with two sugars",
        "can i get a small black coffee",
        "two shots of espresso please",
        "i want a double shot cappuccino with cream",
        "a medium iced mocha with soy milk",
    ),
    # Compiled here and carried over, as for a board with little memory: there it would take a quarter of an hour.
    "home": (
        "turn off the lights in the kitchen",
        "set a timer for ten minutes",
        "what time is it",
        "set the bedroom lights to fifty percent",
    ),
}
CARRIED = "home"
SOUND_ALONE = "barista"
"""The context whose net understands from sound alone."""
SPOKEN = "turn on the kitchen lights"
INSIDE = Path(__file__).with_name("inside.py")
UNDERSTAND = ("-m", "assistant", "understand", "--jsonl", "--context")
WITHOUT_WORDS = ("-m", "assistant", "understand", "--recognizer", "none", "--jsonl", "--context")
SPEAK = ("-m", "assistant", "speak", "--voice", "hibari", "--out")
CLOSE = 2 / 255
"""Two steps of int8 between -1 and 1."""


@pytest.fixture(scope="module", params=SUITES, ids=lambda suite: f"{suite.name}-{suite.python}")
def board(request: pytest.FixtureRequest) -> Board:
    lacking = missing()
    if lacking:
        pytest.skip(f"nothing can be emulated here without {lacking}")
    suite: Suite = request.param
    there = made(suite, Path(os.environ[VARIABLE]))
    shutil.rmtree(there.contexts, ignore_errors=True)
    return there


@pytest.fixture(scope="module")
def sounds(
    tmp_path_factory: pytest.TempPathFactory, spoken: Callable[[str], NDArray[np.int16]]
) -> dict[str, list[Path]]:
    """Sound files by context, the same for both machines."""
    folder = tmp_path_factory.mktemp("said")
    files: dict[str, list[Path]] = {context: [] for context in SAID}
    for context, texts in SAID.items():
        for number, text in enumerate(texts):
            files[context].append(folder / f"{context}-{number}.wav")
            soundfile.write(files[context][-1], spoken(text), SAMPLE_RATE_HZ, "PCM_16")
    return files


@pytest.fixture(scope="module")
def here(sounds: dict[str, list[Path]]) -> dict[str, Any]:
    """What this machine says."""
    facts = subprocess.run([sys.executable, str(INSIDE)], capture_output=True, text=True, check=True).stdout
    understood = {context: decided(_here(*UNDERSTAND, context, *map(str, files))) for context, files in sounds.items()}
    alone = decided(_here(*WITHOUT_WORDS, SOUND_ALONE, *map(str, sounds[SOUND_ALONE])))
    return {"facts": json.loads(facts.splitlines()[-1]), "understood": understood, "alone": alone}


@pytest.fixture(scope="module")
def facts(board: Board) -> dict[str, Any]:
    (board.root / "inside.py").write_text(INSIDE.read_text(encoding="utf-8"), encoding="utf-8")
    found: dict[str, Any] = json.loads(board.run("/usr/bin/python3", "/inside.py").splitlines()[-1])
    return found


def test_every_module_and_library_can_be_imported(board: Board, facts: dict[str, Any]) -> None:
    assert (facts["machine"], facts["python"].rpartition(".")[0]) == ("aarch64", board.suite.python)
    assert facts["modules"] > 100
    assert facts["wrong"] == {}


def test_the_int8_nets_answer_as_here_to_the_bit_by_reference_kernels(
    facts: dict[str, Any], here: dict[str, Any]
) -> None:
    there, ours = facts["nets"], here["facts"]["nets"]
    assert {name: net["reference"] for name, net in there.items()} == {
        name: net["reference"] for name, net in ours.items()
    }
    assert ours


def test_the_nets_that_judge_answer_nearly_as_here_by_the_kernels_of_each_processor(
    facts: dict[str, Any], here: dict[str, Any]
) -> None:
    judging = [name for name in here["facts"]["nets"] if not name.endswith("sound.tflite")]  # noise to it: see below
    assert judging
    for name in judging:
        there, ours = (np.array(all_[name]["numbers"]) for all_ in (facts["nets"], here["facts"]["nets"]))
        assert np.abs(there - ours).max() <= CLOSE * max(1.0, float(np.abs(ours).max())), name


def test_what_is_spoken_is_decided_as_here(board: Board, sounds: dict[str, list[Path]], here: dict[str, Any]) -> None:
    board.contexts.mkdir(parents=True, exist_ok=True)
    for file in (_cache() / "assistant/contexts").glob(f"{CARRIED}-*.npz"):
        shutil.copy(file, board.contexts)
    outcomes = set()
    for context, files in sounds.items():
        there = decided(board.run("/usr/bin/python3", *UNDERSTAND, context, *_carried(board, files)))
        assert there == here["understood"][context]
        outcomes |= {what["outcome"] for what in there}
    assert {"accept", "refuse"} <= outcomes


def test_what_is_understood_from_sound_alone_is_decided_as_here(
    board: Board, sounds: dict[str, list[Path]], here: dict[str, Any]
) -> None:
    files = _carried(board, sounds[SOUND_ALONE])
    there = decided(board.run("/usr/bin/python3", *WITHOUT_WORDS, SOUND_ALONE, *files))
    assert there == here["alone"]
    assert {"accept", "refuse"} <= {what["outcome"] for what in there}


def test_what_it_speaks_is_understood_here(board: Board, tmp_path: Path) -> None:
    board.run("/usr/bin/python3", *SPEAK, "/said.wav", SPOKEN)
    said = tmp_path / "said.wav"
    said.write_bytes((board.root / "said.wav").read_bytes())
    [heard] = decided(_here(*UNDERSTAND, "home", str(said)))
    assert (heard["outcome"], heard["intent"], heard["slots"]["area"]) == ("accept", "HassTurnOn", "kitchen")


def decided(lines: str) -> list[dict[str, Any]]:
    """Of each line what was decided, without times and numbers."""
    return [{key: json.loads(line).get(key) for key in ("intent", "slots", "outcome")} for line in lines.splitlines()]


def _here(*command: str) -> str:
    environment = {**os.environ, "XDG_CACHE_HOME": str(_cache())}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _cache() -> Path:
    """Where this machine's program keeps what it compiles for these tests, from one run to the next."""
    return Path(os.environ[VARIABLE], "cache")


def _carried(board: Board, files: list[Path]) -> list[str]:
    """The files' paths on the board."""
    for file in files:
        (board.root / PLACE / file.name).write_bytes(file.read_bytes())
    return [f"/{PLACE}/{file.name}" for file in files]
