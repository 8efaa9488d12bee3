"""`assistant run`: a file, raw sound on standard input and the demo go through the whole loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.cli.program import Program

LATTE = {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}
ESPRESSO = {"numberOfShots": "double shot", "coffeeDrink": "espresso", "sugarAmount": "sugar"}


@pytest.fixture(scope="module")
def orders(spoken: Callable[[str], NDArray[np.int16]]) -> NDArray[np.int16]:
    """Two orders in one recording."""
    texts = ("Can I have a large latte with soy milk?", "Give me a double shot espresso with sugar.")
    return np.concatenate([spoken(text) for text in texts])


@pytest.fixture(scope="module")
def recording(orders: NDArray[np.int16], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("orders") / "orders.wav"
    soundfile.write(path, orders, 16_000)
    return str(path)


def test_a_file_is_heard_like_a_microphone_and_every_command_gets_its_line(program: Program, recording: str) -> None:
    rows = program.rows("run", "--context", "barista", "--source", recording, "--quiet", "--json")
    assert [(row["slots"], row["accepted"]) for row in rows] == [(LATTE, True), (ESPRESSO, True)]
    assert all(row["reply"] for row in rows)


def test_raw_sound_on_standard_input_is_heard_too(program: Program, orders: NDArray[np.int16]) -> None:
    # A busy machine would try less hard, and may miss the sugar.
    always = ("--set", "schedule.enabled=false")
    rows = program.rows(
        "run", *always, "--context", "barista", "--source", "-", "--quiet", "--json", given=orders.tobytes()
    )
    assert rows[-1]["slots"] == ESPRESSO


def test_listen_hears_one_command_and_stops(program: Program, recording: str) -> None:
    (row,) = program.rows("listen", "--once", "--context", "barista", "--source", recording, "--quiet", "--json")
    assert row["slots"] == LATTE


def test_people_are_told_how_to_speak_to_it_and_what_was_understood(
    program: Program, recording: str, tmp_path: Path
) -> None:
    done = program.run("run", "--context", "barista", "--source", recording, "--out", str(tmp_path / "replies"))
    assert done.returncode == 0, done.stderr
    assert "Listening" in done.stdout
    assert "Say for example" in done.stdout
    assert "orderDrink" in done.stdout
    assert len(list((tmp_path / "replies").glob("reply-*.wav"))) == 2


@pytest.mark.real
def test_the_demo_speaks_a_dozen_commands_and_understands_most(program: Program, tmp_path: Path) -> None:
    out = tmp_path / "out"
    printed = program.rows("run", "--demo", "--json", "--context", "barista", "--out", str(out))
    spoken = [row["spoken"] for row in printed if "spoken" in row]
    decided = [row for row in printed if "outcome" in row]
    assert len(spoken) == 12
    assert len(decided) >= 12
    assert sum(row["outcome"] == "accept" for row in decided) >= 8
    assert sum(row["outcome"] == "refuse" for row in decided) >= 2  # what is outside the context
    replies = sorted(out.glob("reply-*.wav"))
    assert len(replies) >= 8
    assert all(soundfile.info(reply).frames > 0 for reply in replies)
