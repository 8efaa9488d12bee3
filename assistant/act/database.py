"""A small SQLite file that survives kill -9 and power loss: what was committed stays, or nothing of it is there.

Write-ahead log, synchronous=FULL (each commit is on the disk before it is acknowledged), a version of the schema in
`user_version`. A file of a newer version is refused untouched. https://www.sqlite.org/wal.html, /pragma.html
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assistant.errors import StorageError

BUSY_TIMEOUT_S = 5.0
"""So long does a writer wait for one in another process."""
CACHE_KIB = 256
"""Of pages that a connection keeps in memory; SQLite's own would be 2 MB, filled within some hours and never used."""

IN_MEMORY = ":memory:"

_REMEDIES = (
    ("full", "there is no space left: delete something"),
    ("disk i/o error", "there is no space left, or the disk is failing"),
    ("readonly", "it cannot be written: check the permissions and whether the file system is mounted read-only"),
    ("unable to open", "it cannot be opened or made: check the permissions, and paths.state"),
    ("locked", "another program holds it"),
    ("malformed", "it is damaged: move it away, a new one will be made"),
    ("not a database", "it is no database: move it away, a new one will be made"),
)


class Database:
    """One file, usable from any thread.

    path: made with its folder if need be; None keeps everything in memory.
    migrations: SQL statements, separated by semicolons; the n-th makes version n of version n - 1.

    Raises StorageError if it cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path | None, migrations: Sequence[str]) -> None:
        self.where = str(path) if path else "memory"
        self._lock = threading.RLock()
        with self._explained():
            self._connection = _connect(path)
            try:
                self._migrate(migrations)
            except BaseException:
                self._connection.close()
                raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements inside, or none; on the disk when it is left. Raises StorageError."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself takes back what a full disk broke off
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of one query. Raises StorageError."""
        with self._lock, self._explained():
            return self._connection.execute(query, parameters).fetchall()

    def sound(self) -> bool:
        """SQLite's own check of the whole file."""
        return [row[0] for row in self.rows("PRAGMA integrity_check")] == ["ok"]

    def close(self) -> None:
        """Close the file; the last to do so folds the log into it."""
        with self._lock:
            self._connection.close()

    def _version(self, newest: int) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > newest:
            raise StorageError(
                f"it was written by a newer version (schema {version}, this one knows {newest})",
                where=self.where,
                remedy="update the assistant, or move the file away; nothing in it was changed",
            )
        return int(version)

    def _migrate(self, migrations: Sequence[str]) -> None:
        """Before anything is written, not even the mode of the log, the version is looked at."""
        newest = len(migrations)
        version = self._version(newest)
        self._connection.execute("PRAGMA journal_mode = WAL")
        if version == newest:
            return
        with self.transaction() as connection:
            # Another process may have migrated the file while this one waited for its turn.
            for number, script in enumerate(migrations[self._version(newest) :], start=self._version(newest) + 1):
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors as what is wrong, where, and what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise  # a bug of ours
            text = str(error)
            remedy = next((remedy for sign, remedy in _REMEDIES if sign in text.lower()), "")
            raise StorageError(text, where=self.where, remedy=remedy) from error
        except OSError as error:
            remedy = "check the permissions, and paths.state"
            raise StorageError(error.strerror or str(error), where=self.where, remedy=remedy) from error


def _connect(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(
        path or IN_MEMORY, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection
