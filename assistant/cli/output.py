"""What verbs print with: JSON, tables, colours that appear only on a terminal, and progress for work over a second."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import enum
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

PROGRESS_AFTER_S = 1.0

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def examples(*commands: str) -> str:
    """The end of a verb's help: how it is called."""
    return "\n".join(["examples:", *(f"  {command}" for command in commands)])


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """`--json`: the same answer, for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def print_json(value: Any) -> None:
    """One JSON document on standard output: dataclasses, structs, arrays, paths and enums become plain values."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_json_line(value: Any) -> None:
    """One JSON document on one line, flushed, so that a reader gets each as it is made."""
    print(json.dumps(plain(value), ensure_ascii=False), flush=True)


def plain(value: Any) -> Any:
    """`value` as dicts, lists, strings, numbers, True, False and None."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's arrays and scalars, without importing numpy
        return plain(value.tolist())
    if isinstance(value, (Sequence, set, frozenset)):
        return [plain(item) for item in value]
    return {str(key): plain(item) for key, item in _items(value)}


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """The names and values in a mapping, a dataclass or a msgspec struct (without importing msgspec)."""
    if isinstance(value, Mapping):
        return value.items()
    if dataclasses.is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if hasattr(value, "__struct_encode_fields__"):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return [(encoded, getattr(value, name)) for encoded, name in names]
    raise TypeError(f"{type(value).__name__} has no plain form")


def coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colours and the user wants them (NO_COLOR, no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in `style` ("bold", "red", "bold green" …) if `stream` (standard output) shows colours, else as it is."""
    if not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{';'.join(_SGR[word] for word in style.split())}m{text}\x1b[0m"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> str:
    """Aligned columns under a bold head; the columns named in `right` are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, head, strict=True)
        )
        return "  ".join(placed).rstrip()

    return "\n".join([styled(line(head), "bold"), *map(line, cells)])


@contextlib.contextmanager
def progress(
    what: str, total: float | None = None, *, stream: TextIO | None = None, after_s: float = PROGRESS_AFTER_S
) -> Iterator[Callable[[float], None]]:
    """A progress bar for work that may take over a second; yields `advance(amount)`.

    what: shown beside the bar. total: the amount that is the whole, None where it is unknown (a moving bar).
    It goes to standard error, only on a terminal, and only once `after_s` seconds have passed.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda _amount: None
        return
    bar = _LateBar(what, total, stream)
    timer = threading.Timer(after_s, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar.advance
    finally:
        timer.cancel()
        bar.close()


class _LateBar:
    """A bar of rich that is only made, and rich only imported, when the work turns out to be long."""

    def __init__(self, what: str, total: float | None, stream: TextIO) -> None:
        self._what = what
        self._total = total
        self._stream = stream
        self._lock = threading.Lock()
        self._done = 0.0
        self._closed = False
        self._bar: Any = None
        self._task: Any = None

    def show(self) -> None:
        with self._lock:
            if self._closed:
                return
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(file=self._stream), transient=True)
            self._task = self._bar.add_task(self._what, total=self._total, completed=self._done)
            self._bar.start()

    def advance(self, amount: float) -> None:
        with self._lock:
            self._done += amount
            if self._bar is not None:
                self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._bar is not None:
                self._bar.stop()
