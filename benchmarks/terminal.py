"""A command's output on a terminal as an SVG picture: `python -m benchmarks.terminal FILE.svg COMMAND ARG …`."""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import sys
from pathlib import Path

COLUMNS, MAX_LINES = 100, 46
CLEARS = re.compile(r"\x1b\[[0-9;?]*[A-LN-Zac-ln-z]")
"""Escape sequences that move or clear (progress bars); colours are kept."""


def recorded(command: list[str]) -> str:
    """What `command` writes to a terminal of COLUMNS columns."""
    output = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        output.extend(data)
        return data

    os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    silent = os.open(os.devnull, os.O_WRONLY)
    shown = os.dup(1)
    os.dup2(silent, 1)
    try:
        pty.spawn(command, read)
    finally:
        os.dup2(shown, 1)
    return CLEARS.sub("", output.decode("utf-8", "replace")).replace("\r", "")


def picture(title: str, text: str) -> str:
    """`text`, with its colours, as SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], "…"]
    console.print(Text.from_ansi("\n".join(lines)))
    return console.export_svg(title=title)


def main() -> None:
    """Record and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    title = " ".join(args.command).replace(".venv/bin/", "")
    args.file.write_text(picture(title, recorded(args.command)), encoding="utf-8")
    print(f"written to {args.file}", file=sys.stderr)


if __name__ == "__main__":
    main()
