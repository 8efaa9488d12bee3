"""`assistant understand --fused …`, from a process of its own with a bundle in the user's data folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.cli.program import Program
from tests.understand.fused.conftest import LINEAR
from tests.understand.fused.linear_net import write_bundle

WARNING = "understanding goes on without it"
NAME = "an-own-one"


@pytest.fixture(scope="module")
def latte(tmp_path_factory: pytest.TempPathFactory, spoken: Callable[[str], NDArray[np.int16]]) -> Path:
    """A spoken order."""
    path = tmp_path_factory.mktemp("sounds") / "latte.wav"
    soundfile.write(path, spoken("Can I have a large latte with soy milk?"), 16_000)
    return path


@pytest.fixture
def own(program: Program) -> Iterator[Path]:
    """A bundle that the user put there."""
    folder = program.home / "data" / "assistant" / "bundles" / NAME
    yield write_bundle(folder, LINEAR)
    shutil.rmtree(folder)


def understand(program: Program, latte: Path, *fused: str) -> tuple[dict[str, Any], str]:
    """The line, its times aside, and what stands on standard error."""
    done = program.run("understand", "--context", "barista", "--jsonl", *fused, str(latte))
    assert done.returncode == 0, done.stderr
    row = program.rows("understand", "--context", "barista", "--jsonl", *fused, str(latte))[0]
    del row["timings_ms"]
    return row, done.stderr


def test_a_bundle_that_fits_is_named_in_the_line(program: Program, latte: Path, own: Path) -> None:
    row, said = understand(program, latte, "--fused", NAME)
    assert row["variant"].endswith(f"+{own.name}/full")
    assert row["outcome"] == "accept"
    assert not said


def test_off_is_as_if_there_were_none(program: Program, latte: Path, own: Path) -> None:
    assert own.is_dir()
    row, said = understand(program, latte, "--fused", "off")
    assert "+" not in row["variant"]
    assert not said


def test_a_torn_bundle_is_one_warning_and_the_answer_is_the_same(program: Program, latte: Path, own: Path) -> None:
    without, _ = understand(program, latte, "--fused", "off")
    (own / "full.tflite").write_bytes(LINEAR[:999])
    row, said = understand(program, latte, "--fused", f"{NAME}/full")
    assert row["slots"] == without["slots"]
    assert said.count(WARNING) == 1 + (row["variant"] == without["variant"])
    assert "SHA-256" in said


def test_a_name_that_is_not_there_is_said(program: Program, latte: Path, own: Path) -> None:
    row, said = understand(program, latte, "--fused", "nowhere/full")
    assert row["outcome"] == "accept"
    assert "there is no bundle 'nowhere'" in said
    assert own.name in said
    assert said.count("\n") == 1
