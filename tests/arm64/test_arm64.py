"""The program on arm64 with the Pythons of Debian bookworm and trixie: all of it by emulation (`make test-arm64`)."""

from __future__ import annotations

import json
import os
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

ORDERS = (
    "a large latte with two sugars",
    "can i get a small black coffee",
    "two shots of espresso please",
    "i want a double shot cappuccino with cream",
    "a medium iced mocha with soy milk",
)
INSIDE = Path(__file__).with_name("inside.py")
CLOSE = 2 / 255
"""Two steps of int8 between -1 and 1."""


@pytest.fixture(scope="module", params=SUITES, ids=lambda suite: f"{suite.name}-{suite.python}")
def board(request: pytest.FixtureRequest) -> Board:
    lacking = missing()
    if lacking:
        pytest.skip(f"nothing can be emulated here without {lacking}")
    suite: Suite = request.param
    return made(suite, Path(os.environ[VARIABLE]))


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory, spoken: Callable[[str], NDArray[np.int16]]) -> list[Path]:
    """Sound files, the same for both machines."""
    folder = tmp_path_factory.mktemp("orders")
    for number, order in enumerate(ORDERS):
        soundfile.write(folder / f"{number}.wav", spoken(order), SAMPLE_RATE_HZ, "PCM_16")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def here(orders: list[Path]) -> dict[str, Any]:
    """What this machine says."""
    command = [sys.executable, "-m", "assistant", "understand", "--jsonl", "--context", "barista"]
    understood = subprocess.run([*command, *map(str, orders)], capture_output=True, text=True, check=True).stdout
    facts = subprocess.run([sys.executable, str(INSIDE)], capture_output=True, text=True, check=True).stdout
    return {"facts": json.loads(facts.splitlines()[-1]), "understood": understood}


@pytest.fixture(scope="module")
def facts(board: Board) -> dict[str, Any]:
    (board.root / "inside.py").write_text(INSIDE.read_text(encoding="utf-8"), encoding="utf-8")
    found: dict[str, Any] = json.loads(board.run("/usr/bin/python3", "/inside.py").splitlines()[-1])
    return found


def test_every_module_and_library_can_be_imported(board: Board, facts: dict[str, Any]) -> None:
    assert (facts["machine"], facts["python"].rpartition(".")[0]) == ("aarch64", board.suite.python)
    assert facts["modules"] > 100
    assert facts["wrong"] == {}


def test_the_int8_nets_answer_as_here(facts: dict[str, Any], here: dict[str, Any]) -> None:
    assert facts["nets"].keys() == here["facts"]["nets"].keys() != set()
    for name, net in facts["nets"].items():
        there, ours = np.array(net["numbers"]), np.array(here["facts"]["nets"][name]["numbers"])
        assert np.abs(there - ours).max() <= CLOSE * max(1.0, float(np.abs(ours).max())), name


def test_spoken_orders_are_decided_as_here(board: Board, orders: list[Path], here: dict[str, Any]) -> None:
    for order in orders:
        (board.root / PLACE / order.name).write_bytes(order.read_bytes())
    command = ("/usr/bin/python3", "-m", "assistant", "understand", "--jsonl", "--context", "barista")
    there = board.run(*command, *(f"/{PLACE}/{order.name}" for order in orders))
    assert decided(there) == decided(here["understood"])
    assert [what["outcome"] for what in decided(there)].count("accept") >= len(ORDERS) - 1


def test_what_it_speaks_is_understood_here(board: Board, tmp_path: Path) -> None:
    board.run("/usr/bin/python3", "-m", "assistant", "speak", "--voice", "hibari", "--out", "/said.wav", ORDERS[0])
    said = tmp_path / "said.wav"
    said.write_bytes((board.root / "said.wav").read_bytes())
    command = [sys.executable, "-m", "assistant", "understand", "--jsonl", "--context", "barista", str(said)]
    [heard] = decided(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (heard["outcome"], heard["slots"]["size"], heard["slots"]["coffeeDrink"]) == ("accept", "large", "latte")


def decided(lines: str) -> list[dict[str, Any]]:
    """Of each line what was decided, without times and numbers."""
    return [{key: json.loads(line).get(key) for key in ("intent", "slots", "outcome")} for line in lines.splitlines()]
