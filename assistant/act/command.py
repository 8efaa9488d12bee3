"""Runs a program of the user's choice: an argument list from actions.yaml, no shell, little around it, not for long.

    StartBackup:
      skill: command
      parameters: {run: [rsync, -a, "/home/{folder}", /mnt/backup], timeout_s: 60}

It asks before it runs anything, unless `ask: false` says that this program is harmless.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from assistant.act.fill import fill_text
from assistant.act.skill import Request, Result, confirm, failed
from assistant.errors import ConfigError

TIMEOUT_S = 10.0
LONGEST_TIMEOUT_S = 120.0
MOST_OUTPUT = 64 * 1024
"""Bytes kept of what it writes; the rest is read and thrown away."""

MOST_SAID = 300
"""Characters of its output that a reply may use."""

ENVIRONMENT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR")
"""Variables that it inherits; `environment` adds more."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What actions.yaml says. run: program and arguments. ask: whether to ask first. reply: it answers for itself."""

    run: list[str]
    timeout_s: float = TIMEOUT_S
    folder: str = ""
    environment: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    ask: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: exit code (negative: a signal's number), what it wrote, whether it took too long."""

    code: int
    output: str
    timed_out: bool = False


class Command:
    """The skill."""

    name = "command"
    timeout_s = TIMEOUT_S + 2.0

    def handle(self, request: Request) -> Result:
        parameters = read_parameters(request, Parameters)
        arguments = command_line(parameters, request)
        program = Path(arguments[0]).name
        if parameters.ask and not request.confirmed:
            return confirm(request, f"Shall I run {program}?", program=program)
        try:
            ended = run(
                arguments,
                timeout_s=min(parameters.timeout_s, LONGEST_TIMEOUT_S),
                folder=parameters.folder,
                environment={**inherited(), **parameters.environment},
            )
        except OSError as error:
            reason = (error.strerror or "it cannot be run").lower()
            return failed(f"I could not start {program}: {reason}.", "not_started", program=program)
        said = " ".join(ended.output.split())[:MOST_SAID]
        values: dict[str, Any] = {"output": said or None, "code": ended.code, "program": program}
        if ended.timed_out:
            return failed(f"I stopped {program}: it took too long.", "timed_out", **values)
        if ended.code:
            return failed(f"{program} failed with code {ended.code}.", **values)
        return Result(values)


def command_line(parameters: Parameters, request: Request) -> list[str]:
    """Program and arguments; each slot stays inside its argument, and cannot become an option.

    Raises ConfigError for an empty list or a slot that the sentence does not have.
    """
    if not parameters.run:
        raise ConfigError("run is empty", where=f"actions.yaml, {request.intent}", remedy="name a program")
    slots = {**parameters.defaults, **{name: value for name, value in request.slots.items() if value is not None}}
    arguments = []
    for template in parameters.run:
        argument = fill_text(template, slots)
        if argument.startswith("-") and template.startswith("{"):
            raise ConfigError(f"'{argument}' would be an option of the program", where=request.intent)
        if "\0" in argument:
            raise ConfigError("an argument has a zero byte in it", where=request.intent)
        arguments.append(argument)
    return arguments


def run(arguments: list[str], *, timeout_s: float, folder: str = "", environment: dict[str, str]) -> Ended:
    """Run a program to its end or to `timeout_s`, then kill it with all that it started.

    Raises OSError if it cannot be started.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(folder).expanduser() if folder else None,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        output, timed_out = _read(process.stdout, time.monotonic() + timeout_s)
        if not timed_out:
            try:
                # It may close its output and go on.
                process.wait(timeout=max(timeout_s, 0.1))
            except subprocess.TimeoutExpired:
                timed_out = True
        if timed_out:
            _kill(process)
    return Ended(process.returncode, output.decode("utf-8", "replace"), timed_out)


def inherited() -> dict[str, str]:
    """The few variables that a program gets."""
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def read_parameters(request: Request, schema: Any) -> Any:
    """The parameters of actions.yaml as `schema`. Raises ConfigError that names what is wrong."""
    try:
        return msgspec.convert(dict(request.parameters), schema)
    except msgspec.ValidationError as error:
        text = str(error)
        raise ConfigError(text[:1].lower() + text[1:], where=f"actions.yaml, {request.intent}") from error


def create() -> Command:
    """The skill as its entry point makes it."""
    return Command()


def _read(stream: IO[bytes], deadline: float) -> tuple[bytes, bool]:
    """What the program writes until it closes its output (False) or the deadline (True), at most MOST_OUTPUT of it."""
    kept = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if not selector.select(left_s):
                continue
            piece = os.read(stream.fileno(), 65_536)
            if not piece:
                return bytes(kept), False
            kept += piece[: MOST_OUTPUT - len(kept)]
    return bytes(kept), True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and its children, which share its session."""
    with contextlib.suppress(ProcessLookupError):  # it ended just now
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
