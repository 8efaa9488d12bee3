"""Runs the program in a process of its own, on a home that holds nothing but what tests left there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDERS = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


class Program:
    """`home` is the user's home; the prepared model and compiled contexts are cached in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._environment = {**os.environ, "HOME": str(home)}
        self._environment |= {name: str(home / name.split("_")[1].lower()) for name in FOLDERS}

    def run(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
        """`assistant ARGUMENTS…` with `given` on its standard input."""
        command = [sys.executable, "-m", "assistant", *arguments]
        done = subprocess.run(
            command, capture_output=True, check=False, input=given, env=self._environment, cwd=self.home
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(command, done.returncode, out, err)

    def rows(self, *arguments: str, code: int = 0, given: bytes = b"") -> list[dict[str, Any]]:
        """The JSON lines that it prints; every line of standard output must be one."""
        done = self.run(*arguments, given=given)
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]
