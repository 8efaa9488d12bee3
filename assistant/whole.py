"""Files that are there whole or not at all: written beside and renamed, so that nobody ever reads half of one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

READABLE, PRIVATE = 0o666, 0o600
"""Modes, before the process's umask."""


def write_whole(path: Path, data: bytes, mode: int = READABLE) -> None:
    """Put `data` in the place of the file at `path`, which stays as it was if that fails. Raises OSError.

    Its folder must be there. Several processes and threads may write it at once: the last one wins.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}.part")
    try:
        beside.touch(mode)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
