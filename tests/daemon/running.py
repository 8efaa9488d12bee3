"""A real `assistant daemon` in a process and a home of its own, asked by its control socket."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from assistant.daemon.client import Client, NoDaemon
from tests.sound_server import until

PATIENCE_S = 60.0
# Hears nothing and needs no model: for all that has nothing to do with sound.
TYPED = ("--set", "audio.device=none", "--set", "recognize.engine=text", "--set", "speak.voice=none")


@dataclass
class Running:
    """`start` and `end` it as often as the test likes; the home stays."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = TYPED
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        for name in ("config", "cache", "data", "state", "run"):
            (self.home / name).mkdir(exist_ok=True, mode=0o700)

    @property
    def socket(self) -> Path:
        return self.home / "a.sock"

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8")

    def configure(self, text: str) -> None:
        folder = self.home / "config/assistant"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(text, encoding="utf-8")

    def start(self, *more: str) -> Running:
        """Start it and wait until it is ready."""
        self.launch(*more)
        until(self.ready, f"the daemon is ready: {self.log}", PATIENCE_S)
        return self

    def launch(self, *more: str) -> None:
        """Start it and wait for nothing."""
        self.launch_with(subprocess.DEVNULL, *more)

    def launch_with(self, stdin: int, *more: str) -> None:
        """Start it with this standard input, as `subprocess` names it."""
        folders = {f"XDG_{name.upper()}_HOME": str(self.home / name) for name in ("config", "cache", "data", "state")}
        command = [sys.executable, "-m", "assistant", "daemon", "--set", f"daemon.socket={self.socket}"]
        with (self.home / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *command, *self.arguments, *more],
                env={**os.environ, **folders, "HOME": str(self.home), **self.environment},
                stdin=stdin,
                stdout=log,
                stderr=log,
                text=True,
            )

    def launch_fed(self) -> IO[bytes]:
        """Start it with a pipe for its sound; returns the end to write to."""
        self.launch_with(subprocess.PIPE)
        assert self.process is not None
        assert isinstance(self.process.stdin, io.TextIOWrapper)
        pipe: IO[bytes] = self.process.stdin.buffer
        return pipe

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return bool(self.ask("status")["ready"])
        except NoDaemon:
            return False

    def ask(self, do: str, **fields: Any) -> Any:
        with Client.connect(self.socket) as client:
            return client.ask(do, **fields)

    def part(self, name: str) -> dict[str, Any]:
        return next((part for part in self.ask("status")["parts"] if part["name"] == name), {"state": "absent"})

    @property
    def child(self) -> int:
        """The recogniser's process."""
        return int(self.part("recognizer")["status"].rpartition(" ")[2])

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; the exit code."""
        self.send(number)
        assert self.process is not None
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(
    *more: str, environment: dict[str, str] | None = None, arguments: tuple[str, ...] = TYPED
) -> Iterator[Running]:
    """A started daemon; ended and forgotten afterwards."""
    with tempfile.TemporaryDirectory(prefix="dmn-", ignore_cleanup_errors=True) as home:
        daemon = Running(Path(home), environment or {}, arguments)
        try:
            yield daemon.start(*more)
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.end(signal.SIGKILL)
