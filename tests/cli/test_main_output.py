"""What verbs print with: plain values, tables, colours only on a terminal, progress only there and for long work."""

from __future__ import annotations

import dataclasses
import enum
import io
import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest

from assistant.cli.output import coloured, plain, progress, styled, table
from assistant.config import Recognize


class Shade(enum.Enum):
    WARM = "warm"


@dataclasses.dataclass(frozen=True)
class Lamp:
    name: str
    shade: Shade


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """A real pseudo-terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stream, os.fdopen(reader, "rb"):
        yield stream


RECOGNIZE = {"engine": "moonshine", "threads": 1, "beam": 8, "prune": 7, "lambda": 0.3, "again": True}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Lamp("desk", Shade.WARM), {"name": "desk", "shade": "warm"}),
        ({Path("a"): (1, {2})}, {"a": [1, [2]]}),
        (np.float32(0.5), 0.5),
        (np.arange(3, dtype=np.int32), [0, 1, 2]),
        (Recognize(beam=8, prune=7, lambda_=0.3), RECOGNIZE),
        ([None, True, 1.5, "x"], [None, True, 1.5, "x"]),
    ],
)
def test_what_is_printed_as_json_is_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no plain form"):
        plain({"a": object()})


def test_a_table_is_aligned() -> None:
    assert table(("engine", "ms"), [("moonshine", 98), ("vosk", 130)], right=("ms",)).splitlines() == [
        "engine      ms",
        "moonshine   98",
        "vosk       130",
    ]


def test_colours_show_on_a_terminal_unless_they_are_not_wanted(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert styled("no", "bold red", terminal) == "\x1b[1;31mno\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert styled("no", "bold red", terminal) == "no"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not coloured(terminal)
    assert not coloured(io.StringIO())


def test_progress_is_silent_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with progress("compiling", 2, stream=stream, after_s=0) as advance:
        advance(2)
    assert stream.getvalue() == ""


def test_progress_of_short_work_shows_nothing_on_a_terminal() -> None:
    stream = Terminal()
    with progress("compiling", 2, stream=stream, after_s=1000) as advance:
        advance(2)
    assert stream.getvalue() == ""


def test_progress_of_long_work_shows_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with progress("compiling", 4, stream=stream, after_s=0) as advance:
        advance(3)
        assert stream.written.wait(30)
    assert "compiling" in stream.getvalue()


class Terminal(io.StringIO):
    """Text that claims to be a terminal and tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        count = super().write(text)
        if "compiling" in self.getvalue():
            self.written.set()
        return count
