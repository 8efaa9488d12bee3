"""`assistant wake`: words are listed, files are heard in order, what cannot be read is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from assistant.cli.assembly import build_listener
from assistant.cli.main import main
from assistant.config import Config, Listen, Wake
from assistant.errors import ConfigError
from assistant.listen.segment import Segmenter
from assistant.listen.wake_segment import WakeSegmenter


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_bundled_words_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wake", "list", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert {"word": "hey_jarvis", "engine": "microwakeword"} in known


def test_files_are_heard_in_order_one_line_each(
    recordings: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = sorted(recordings("wakeword/alexa").glob("*.flac"))[:2]
    other = min(recordings("barista").rglob("*.flac"))
    files = [str(words[0]), str(other), str(words[1])]
    assert main(["wake", "test", "alexa", *files, "--json"]) == 0
    found = rows(capsys)
    assert [row["path"] for row in found] == files
    assert [row["detected"] for row in found] == [True, False, True]
    assert [list(row) for row in found] == [["path", "detected", "score", "at_s"]] * 3
    assert found[1]["at_s"] is None
    for row, file in ((found[0], words[0]), (found[2], words[1])):
        assert isinstance(row["at_s"], float)
        assert 0.2 < row["at_s"] <= soundfile.info(file).duration + 0.1


def test_a_file_that_cannot_be_read_is_a_line_and_the_others_are_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "stereo.wav", np.zeros((44_100, 2)), 44_100)
    files = [str(tmp_path / name) for name in ("absent.wav", "broken.wav", "stereo.wav")]
    assert main(["wake", "test", "okay nabu", *files, "--json"]) == 3
    found = rows(capsys)
    assert [row["path"] for row in found] == files
    assert ["error" in row for row in found] == [True, True, False]
    assert main(["wake", "test", "okay nabu", *files]) == 3
    shown = capsys.readouterr()
    assert shown.err.count("assistant: ") == 2
    assert "not detected" in shown.out


def test_an_unknown_word_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wake", "test", "alexxa", "x.wav"]) == ConfigError.exit_code
    assert "did you mean 'alexa'?" in capsys.readouterr().err


def test_the_configuration_puts_words_before_the_segmenter() -> None:
    assert isinstance(build_listener(Config()), Segmenter)
    for words in ("alexa", ("Alexa", "hey jarvis"), {"okay_nabu": "home"}):
        listener = build_listener(Config(listen=Listen(mode="wake"), wake=Wake(words=words)))
        assert isinstance(listener, WakeSegmenter)
    with pytest.raises(ConfigError, match="no wake word 'hal'"):
        build_listener(Config(listen=Listen(mode="wake"), wake=Wake(words="hal")))
