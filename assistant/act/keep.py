"""Where a skill keeps its things: its file, or, where nothing can be written, memory and a word about it."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.act.database import Database
from assistant.errors import StorageError

FORGETFUL = "I will forget it when I am switched off, because I cannot write to my disk."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A database, and what the user has to know about it ("" if nothing)."""

    database: Database
    notice: str = ""


def open_kept(folder: Path | None, file: str, migrations: Sequence[str]) -> Kept:
    """The database `file` in `folder`; one in memory where there is no folder or it cannot be written.

    Raises StorageError for a file that is there but damaged or of a newer version: nothing may happen to it.
    """
    if folder is None:
        return Kept(Database(None, migrations))
    try:
        _check_writable(folder)
        return Kept(Database(folder / file, migrations))
    except OSError as error:
        log.warning("%s: cannot be written (%s); nothing is kept until it can", folder, error.strerror)
    except StorageError as error:
        if not any(sign in error.what for sign in ("readonly", "unable to open", "full")):
            raise
        log.warning("%s; nothing is kept until it can be", error)
    return Kept(Database(None, migrations), FORGETFUL)


def _check_writable(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(folder, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
