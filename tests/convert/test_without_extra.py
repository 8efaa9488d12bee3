"""What the converter says where its extra is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDE = "import sys; sys.modules['tensorflow'] = None; from convert.cli import main; sys.exit(main(sys.argv[1:]))"


def test_the_converter_is_tried_in_an_environment_of_its_own(missing: list[str]) -> None:
    if missing:
        pytest.skip(f"the extra `convert` is not here ({', '.join(missing)}): its tests run by `make test-convert`")


@pytest.mark.parametrize("verb", [["build", "--out", "x"], ["explain", "a.wav", "--context", "c", "--bundle", "b"]])
def test_a_missing_tensorflow_is_named_with_what_to_install(verb: list[str], repository: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HIDE, *verb], cwd=repository, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 9
    assert "tensorflow" in ran.stderr.lower()
    assert "requirements/convert.txt" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_help_needs_nothing_of_the_extra(repository: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HIDE, "--help"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert "assistant-convert build --context" in ran.stdout


def test_a_wrong_command_line_says_where_to_read(repository: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HIDE, "build"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "--out" in ran.stderr
