"""`assistant bench` as it is called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assistant.types import SAMPLE_RATE_HZ
from benchmarks.felt import ROOM_RMS, in_a_quiet_room
from benchmarks.processes import Assistant


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assistant", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_without_recordings_it_says_where_they_are_looked_for(tmp_path: Path) -> None:
    result = bench("understand", "--out", str(tmp_path), ASSISTANT_DATA=str(tmp_path / "nowhere"))
    assert result.returncode == 3
    assert "ASSISTANT_DATA" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("understand", "--limit", "0"), "--limit"),
        (("understand", "--peers", "siri"), "siri"),
        (("understand", "--conditions", "kitchen 7 dB"), "kitchen 7 dB"),
        (("latency", "--beams", "wide"), "--beams"),
    ],
)
def test_a_senseless_command_line_is_refused_with_one_line(
    arguments: tuple[str, ...], complaint: str, recordings: Callable[[str], Path], tmp_path: Path
) -> None:
    recordings("barista")
    result = bench(*arguments, "--out", str(tmp_path))
    assert result.returncode == 2
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.real
def test_a_quick_run_says_so_and_gives_one_json_document(recordings: Callable[[str], Path], tmp_path: Path) -> None:
    recordings("barista")
    plot = tmp_path / "plot.svg"
    options = ("--limit", "3", "--conditions", "clean,kitchen 12 dB", "--peers", "exact,fuzzy", "--json")
    result = bench("understand", *options, "--out", str(tmp_path), "--plot", str(plot))
    assert result.returncode == 0, result.stderr
    doc = json.loads(result.stdout)
    assert doc["limited"] == "3 of each set; conditions clean, kitchen 12 dB"
    assert doc["results"]["systems"]["assistant"]["clean"]["right"]["count"] == 3
    assert json.loads((tmp_path / "bench-understand-limited.json").read_text()) == doc
    assert plot.read_text().startswith("<?xml")


@pytest.mark.real
def test_a_process_is_watched_while_it_listens() -> None:
    with Assistant(["--context", "barista", "--quiet"]) as process:
        elapsed = process.wait_until_listening()
        resident = process.hear(np.zeros(SAMPLE_RATE_HZ // 2, np.int16))
        now, peak = process.memory_mb()
    assert elapsed.wall_s > 0
    assert elapsed.cpu_s > 0
    assert len(resident) == 5
    assert 20 < now <= peak


def test_a_clip_is_played_in_a_quiet_room() -> None:
    sound = in_a_quiet_room(np.full(100, 1000, np.int16))
    assert len(sound) == 100 + int(2.3 * SAMPLE_RATE_HZ)
    assert np.std(sound[-SAMPLE_RATE_HZ:]) == pytest.approx(ROOM_RMS, rel=0.1)


@pytest.mark.real
def test_decisions_of_real_orders_come_out_the_same_again(recordings: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("barista", "so762"):
        recordings(name)
    result = bench("replay", "--limit", "4", "--json", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    results = json.loads(result.stdout)["results"]
    assert results["agree"] == results["records"] == 4
