"""Which skills a running assistant has given up, in a small file, so that `assistant plugins` can tell."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from assistant.act.plugins import State, Status
from assistant.whole import write_whole

FILE = "plugins.json"

log = logging.getLogger(__name__)


def note_failing(state: Path | None, status: Status) -> None:
    """Remember that `status.name` was given up."""
    if state is not None:
        _write(state, {**read_failing(state), status.name: status.reason})


def forget_failing(state: Path | None) -> None:
    """The assistant starts anew, and tries them all again."""
    if state is not None and (state / FILE).exists():
        _write(state, {})


def read_failing(state: Path | None) -> dict[str, str]:
    """Name → reason of the skills that the assistant has given up since it was started."""
    try:
        read = json.loads((state / FILE).read_text(encoding="utf-8")) if state is not None else {}
    except (OSError, ValueError):
        return {}
    return {str(name): str(reason) for name, reason in read.items()} if isinstance(read, dict) else {}


def with_failing(statuses: tuple[Status, ...], state: Path | None) -> tuple[Status, ...]:
    """What works here, but was given up by the assistant that runs."""
    given_up = read_failing(state)
    return tuple(
        Status(status.group, status.name, State.FAILING, given_up[status.name], status.source)
        if status.state is State.ENABLED and status.name in given_up
        else status
        for status in statuses
    )


def _write(state: Path, failing: dict[str, str]) -> None:
    """Whole or not at all; where nothing can be written, the log has said it."""
    path = state / FILE
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps(failing).encode())
    except OSError as error:
        log.warning("%s: cannot be written (%s)", path, error.strerror)
