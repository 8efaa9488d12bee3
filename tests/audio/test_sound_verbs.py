from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.cli.main import main
from assistant.cli.sound import METER_WIDTH, level_bar
from assistant.errors import DeviceError, InputError, UsageError


def test_a_file_that_is_no_sound_is_refused_before_any_device_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("dear diary")
    assert main(["play", str(path)]) == InputError.exit_code
    assert "not a sound file that can be read; convert it to WAV or FLAC first" in capsys.readouterr().err


def test_a_loudspeaker_that_is_not_there_is_a_device_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(160), 16_000)
    assert main(["play", "--device", "a loudspeaker that nobody has", str(path)]) == DeviceError.exit_code
    assert "no loudspeaker has this name" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "long"])
def test_a_length_that_is_none_is_a_usage_error(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "--seconds", seconds, "x.wav"]) == UsageError.exit_code
    assert "--seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("level", "colour", "filled"), [(0, "green", 0), (1_036, "green", 20), (23_170, "yellow", 38), (32_767, "red", 40)]
)
def test_the_meter_is_proportional_to_decibels_and_warns_near_full_scale(level: int, colour: str, filled: int) -> None:
    bar = level_bar(0, level)
    assert f"[{colour}]" in bar
    assert bar.count("█") == filled
    assert bar.count("█") + bar.count("·") == METER_WIDTH
