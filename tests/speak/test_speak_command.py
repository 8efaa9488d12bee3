"""`assistant speak` as a user calls it."""

import io
import json
import wave
from pathlib import Path

import pytest

from assistant.cli.main import main


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def seconds_of(path: Path) -> float:
    with wave.open(str(path)) as file:
        return float(file.getnframes() / file.getframerate())


def test_a_text_becomes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "dinner.wav"
    assert main(["speak", "Dinner is ready.", "--voice", "hibari", "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["voice"] == "hibari/heart"
    assert seconds_of(out) == pytest.approx(said["seconds"], abs=0.001)
    assert said["seconds"] > 0.5


def test_the_text_may_come_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.wav"
    monkeypatch.setattr("sys.stdin", io.StringIO("Two words."))
    assert main(["speak", "-", "--voice", "hibari", "--out", str(out)]) == 0
    assert seconds_of(out) > 0.3


def test_nothing_to_say_is_an_empty_file(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert main(["speak", "\U0001f600", "--voice", "hibari", "--out", str(out)]) == 0
    assert seconds_of(out) == 0


def test_an_unknown_voice_is_exit_code_9(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speak", "hello", "--voice", "hibary"]) == 9
    assert "did you mean 'hibari'?" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_exit_code_8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speak", "hello", "--voice", "hibari", "--out", str(tmp_path / "no" / "out.wav")]) == 8
    assert "out.wav" in capsys.readouterr().err
