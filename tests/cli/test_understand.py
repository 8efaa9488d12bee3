"""`assistant understand`: the contract that other programs rely on, from a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.cli.program import Program

KEYS = {
    *("path", "text", "intent", "slots", "confidence", "accepted", "engine", "variant", "alternatives", "timings_ms"),
    *("outcome", "question"),
}
LATTE = {"size": "large", "coffeeDrink": "latte", "milkAmount": "soy milk"}
ESPRESSO = {"numberOfShots": "double shot", "coffeeDrink": "espresso", "sugarAmount": "sugar"}

UNDERSTAND = ("understand", "--context", "barista", "--jsonl")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory, spoken: Callable[[str], NDArray[np.int16]]) -> Path:
    """A folder of good and bad files."""
    folder = tmp_path_factory.mktemp("sounds")
    latte = spoken("Can I have a large latte with soy milk?")
    espresso = spoken("Give me a double shot espresso with sugar.")
    soundfile.write(folder / "latte.wav", latte, 16_000)
    soundfile.write(folder / "espresso.flac", espresso, 16_000)
    soundfile.write(folder / "eight kilohertz.wav", latte[::2], 8_000)
    soundfile.write(folder / "stereo float.wav", np.stack([latte, latte], 1) / 32768, 16_000, subtype="FLOAT")
    soundfile.write(folder / "foreign.wav", spoken("The train to the airport leaves every twenty minutes."), 16_000)
    soundfile.write(folder / "ten milliseconds.wav", latte[:160], 16_000)
    soundfile.write(folder / "no samples.wav", latte[:0], 16_000)
    soundfile.write(folder / "silence.wav", np.zeros(16_000, np.int16), 16_000)
    (folder / "text.wav").write_text("this is no sound")
    (folder / "empty.wav").touch()
    return folder


GOOD = ["latte.wav", "espresso.flac", "eight kilohertz.wav", "stereo float.wav", "foreign.wav", "silence.wav"]
BAD = ["text.wav", "empty.wav", "missing.wav"]
ORDER = [GOOD[0], BAD[0], GOOD[1], BAD[1], *GOOD[2:], BAD[2], "ten milliseconds.wav", "no samples.wav"]


@pytest.fixture(scope="module")
def mixed(program: Program, sounds: Path) -> dict[str, dict[str, Any]]:
    """File name → its line, good and bad files in one run."""
    rows = program.rows(*UNDERSTAND, *(str(sounds / name) for name in ORDER), code=3)
    assert [row["path"] for row in rows] == [str(sounds / name) for name in ORDER]
    return {Path(row["path"]).name: row for row in rows}


def test_a_line_has_the_keys_of_the_contract_and_their_types(mixed: dict[str, dict[str, Any]]) -> None:
    for name in GOOD:
        row = mixed[name]
        assert set(row) == KEYS
        assert set(row["timings_ms"]) == {"recognize", "understand", "decide", "total"}
        assert all(value >= 0 for value in row["timings_ms"].values())
        assert 0.0 <= row["confidence"] <= 1.0
        assert row["outcome"] in ("accept", "ask", "refuse")
        assert row["engine"] == "moonshine"
        assert row["variant"]
        assert all(set(rival) == {"text", "intent", "slots", "score"} for rival in row["alternatives"])


@pytest.mark.parametrize(
    ("name", "slots"),
    [("latte.wav", LATTE), ("espresso.flac", ESPRESSO), ("eight kilohertz.wav", LATTE), ("stereo float.wav", LATTE)],
)
def test_orders_are_understood_from_files_of_any_format(
    name: str, slots: dict[str, str], mixed: dict[str, dict[str, Any]]
) -> None:
    row = mixed[name]
    assert (row["intent"], row["slots"], row["accepted"], row["outcome"]) == ("orderDrink", slots, True, "accept")
    assert row["confidence"] > 0.5


@pytest.mark.parametrize("name", ["foreign.wav", "silence.wav", "ten milliseconds.wav", "no samples.wav"])
def test_what_is_no_order_is_refused_or_unreadable_but_never_accepted(
    name: str, mixed: dict[str, dict[str, Any]]
) -> None:
    row = mixed[name]
    assert "error" in row or (row["accepted"], row["outcome"]) == (False, "refuse")


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_read_gives_a_line_that_names_it_and_a_remedy(
    name: str, mixed: dict[str, dict[str, Any]]
) -> None:
    row = mixed[name]
    assert set(row) == {"path", "error"}
    assert name in row["error"]
    assert ";" in row["error"]  # what is wrong; what to do
    assert "\n" not in row["error"]


def test_flac_files_that_do_not_decode_give_error_lines_and_the_others_are_done(
    program: Program, sounds: Path, recordings: Callable[[str], Path]
) -> None:
    broken = sorted(recordings("broken").glob("*.flac"))
    rows = program.rows(*UNDERSTAND, *map(str, broken), str(sounds / "latte.wav"), code=3)
    assert ["error" in row for row in rows] == [True] * len(broken) + [False]
    assert rows[-1]["slots"] == LATTE


def test_two_at_a_time_give_the_same_lines_in_the_same_order(
    program: Program, sounds: Path, mixed: dict[str, dict[str, Any]]
) -> None:
    rows = program.rows(*UNDERSTAND, "--jobs", "2", *(str(sounds / name) for name in ORDER), code=3)
    for row in rows:
        row.pop("timings_ms", None)
    assert rows == [{key: value for key, value in mixed[name].items() if key != "timings_ms"} for name in ORDER]


def test_lines_of_text_give_the_same_kind_of_lines(program: Program, tmp_path: Path) -> None:
    text = tmp_path / "orders.txt"
    text.write_text(
        "can I have a large latte with soy milk\n\ngive me a dobule shot espresso with sugar\nto be or not\n"
    )
    rows = program.rows(*UNDERSTAND, "--text", str(text))
    assert [row["path"] for row in rows] == [line for line in text.read_text().splitlines() if line]
    assert all(set(row) == KEYS for row in rows)
    assert [row["slots"] for row in rows] == [LATTE, ESPRESSO, {}]
    assert [row["outcome"] for row in rows] == ["accept", "accept", "refuse"]
    assert program.rows(*UNDERSTAND, "--text", "-", given=b"brew a mocha")[0]["slots"] == {"coffeeDrink": "mocha"}


def test_people_get_a_line_a_file_and_errors_on_standard_error(program: Program, sounds: Path) -> None:
    done = program.run(
        "understand",
        "--context",
        "barista",
        str(sounds / "latte.wav"),
        str(sounds / "text.wav"),
        str(sounds / "foreign.wav"),
    )
    assert done.returncode == 3
    first, second = done.stdout.splitlines()
    assert "accept orderDrink (size: large, coffeeDrink: latte, milkAmount: soy milk)" in first
    assert "refuse" in second
    assert "\x1b" not in done.stdout
    assert "text.wav" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        ((), 2, "give sound files, or --text FILE"),
        (("a.wav", "--text", "b.txt"), 2, "give sound files, or --text FILE"),
        (("a.wav", "--jobs", "0"), 2, "--jobs must be 1 or more"),
        (("--text", "/nowhere/orders.txt"), 3, "/nowhere/orders.txt: cannot be read as text"),
        (("a.wav", "--context", "barrista"), 4, "did you mean 'barista'?"),
        (("a.wav", "--engine", "moonshin"), 9, "there is no recogniser 'moonshin'"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_line_with_its_code(
    arguments: tuple[str, ...], code: int, complaint: str, program: Program
) -> None:
    done = program.run("understand", "--jsonl", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
