"""The file of decision records: one SQLite database, limited in size and age, readable while it is written.

SQLite in WAL mode survives kill and power loss at any moment with the last records missing at worst, lets `why` read
while the assistant writes, and overwrites what is forgotten. Only its owner may read it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from assistant.errors import StorageError
from assistant.trace.record import Record, decode, encode

FILE = "trace.db"
SCHEMA = 1
"""The database's user_version; a higher one is neither read nor written."""

WAL_PAGES = 64
PAGE_BYTES = 4096
CACHE_KIB = 256
"""Of pages that one connection keeps in memory: SQLite's own 2 MB would be filled within some hours and never used."""
BUSY_TIMEOUT_S = 2.0
DROPPED_AT_ONCE = 16
"""Oldest records taken out at a time when the file is full: rarely, instead of one for each that is added."""

_TABLE = """
CREATE TABLE IF NOT EXISTS decisions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    record BLOB NOT NULL,
    sound BLOB
)
"""
_REMEDY = "`assistant forget --all` begins a new one"


@dataclass(frozen=True, slots=True)
class Limits:
    """max_bytes: of the files on disk, the write-ahead log included. max_age_s: older records are dropped."""

    max_bytes: int
    max_age_s: float


class TraceFile:
    """The records in `folder`, opened for writing; made if need be. Raises StorageError.

    One process may write while others read and forget. Not for several threads.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._path, self._limits = folder / FILE, limits
        with _as_storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's other files take its mode
            self._database = _connect(f"{self._path.absolute().as_uri()}?mode=rw", self._path)
            try:
                _set_up(self._database)
            except sqlite3.Error:
                self._database.close()
                raise
        self._inode = self._path.stat().st_ino

    def close(self) -> None:
        """Close; the write-ahead log goes into the file."""
        self._database.close()

    @property
    def current(self) -> bool:
        """False once the file was removed or replaced by another."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def add(self, make: Callable[[str], Record], at: float, now: float, sound: bytes | None = None) -> str:
        """Add the record that `make` gives for its id; drop what is too old at `now` or too much. Raises StorageError.

        at, now: seconds since the epoch. sound: FLAC.
        """
        with _as_storage_errors(self._path), _transaction(self._database) as database:
            id_ = _free_id(database, at)
            database.execute(
                "INSERT INTO decisions (id, at, record, sound) VALUES (?, ?, ?, ?)",
                (id_, at, encode(make(id_)), sound),
            )
            database.execute("DELETE FROM decisions WHERE at < ?", (now - self._limits.max_age_s,))
            self._drop_oldest(database)
        with _as_storage_errors(self._path):
            self._shrink()
        return id_

    def _drop_oldest(self, database: sqlite3.Connection) -> None:
        room = self._room
        while _used_bytes(database) > room:
            count: int = database.execute("SELECT count(*) FROM decisions").fetchone()[0]
            if count == 0:
                break
            database.execute(
                "DELETE FROM decisions WHERE sequence IN (SELECT sequence FROM decisions ORDER BY sequence LIMIT ?)",
                (max(min(DROPPED_AT_ONCE, count // 8), 1),),
            )

    def _shrink(self) -> None:
        """Give pages back to the disk where the file is larger than it may be (the limit was lowered)."""
        pages: int = self._database.execute("PRAGMA page_count").fetchone()[0]
        if pages * PAGE_BYTES > self._room:
            _give_back(self._database)

    @property
    def _room(self) -> int:
        """Bytes that the database itself may take."""
        return max(self._limits.max_bytes - 2 * WAL_PAGES * PAGE_BYTES, 4 * PAGE_BYTES)


class TraceReader:
    """The records in `folder`, for reading, oldest first; none where there is no file. Raises StorageError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._database: sqlite3.Connection | None = None
        if self._path.exists():
            with _as_storage_errors(self._path):
                self._database = _open_to_read(self._path)

    def close(self) -> None:
        """Close."""
        if self._database is not None:
            self._database.close()

    def __len__(self) -> int:
        return int(self._rows("SELECT count(*) FROM decisions")[0][0]) if self._database else 0

    def ids(self, limit: int | None = None) -> list[str]:
        """The last `limit` ids, or all, oldest first."""
        rows = self._rows("SELECT id FROM decisions ORDER BY sequence DESC LIMIT ?", -1 if limit is None else limit)
        return [str(id_) for (id_,) in reversed(rows)]

    def find(self, name: str) -> str:
        """The id that `name` means: "last", an id, or a part that only one id has. Raises StorageError."""
        if name == "last":
            last = self.ids(1)
            if not last:
                raise StorageError("no decision is recorded", where=str(self._path), remedy=_nothing_recorded())
            return last[0]
        found = [id_ for id_ in self.ids() if name in id_]
        if name in found or len(found) == 1:
            return name if name in found else found[0]
        what = f"{len(found)} decisions have {name!r} in their id" if found else f"there is no decision {name!r}"
        raise StorageError(what, where="trace", remedy="`assistant why list` shows them")

    def get(self, id_: str) -> Record:
        """One record. Raises StorageError when it is gone, damaged or of a newer version."""
        rows = self._rows("SELECT record FROM decisions WHERE id = ?", id_)
        if not rows:
            raise StorageError(f"there is no decision {id_!r}", where="trace", remedy="`assistant why list` shows them")
        return decode(rows[0][0], where=id_)

    def sound(self, id_: str) -> bytes | None:
        """The sound of one record as FLAC, None where it was not kept."""
        rows = self._rows("SELECT sound FROM decisions WHERE id = ?", id_)
        return rows[0][0] if rows else None

    def records(self, limit: int | None = None) -> Iterator[Record]:
        """The last `limit` records, or all, oldest first."""
        for id_ in self.ids(limit):
            rows = self._rows("SELECT record FROM decisions WHERE id = ?", id_)
            if rows:  # else it was dropped or forgotten meanwhile
                yield decode(rows[0][0], where=id_)

    def _rows(self, query: str, *values: object) -> list[tuple[bytes, ...]]:
        if self._database is None:
            return []
        with _as_storage_errors(self._path):
            return self._database.execute(query, values).fetchall()


def forget(folder: Path, ids: Sequence[str]) -> int:
    """Remove the records with these ids and overwrite them; returns how many there were. Raises StorageError."""
    return _forget(folder, "DELETE FROM decisions WHERE id = ?", [(id_,) for id_ in ids])


def forget_before(folder: Path, at: float) -> int:
    """Remove what is older than `at`, seconds since the epoch. Raises StorageError."""
    return _forget(folder, "DELETE FROM decisions WHERE at < ?", [(at,)])


def forget_all(folder: Path) -> int:
    """Remove everything, whatever its state: files that cannot be read are deleted. Raises StorageError."""
    try:
        return _forget(folder, "DELETE FROM decisions", [()])
    except StorageError:
        with _as_storage_errors(folder / FILE):
            for path in folder.glob(f"{FILE}*"):
                path.unlink(missing_ok=True)
        return 0


def _forget(folder: Path, statement: str, values: Sequence[tuple[object, ...]]) -> int:
    path = folder / FILE
    if not path.exists():
        return 0
    with _as_storage_errors(path):
        database = _connect(f"{path.absolute().as_uri()}?mode=rw", path)
        try:
            _set_up(database)
            with _transaction(database):
                count = sum(database.execute(statement, value).rowcount for value in values)
            _give_back(database)
            # The log still holds what was deleted until it is emptied into the file.
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            database.close()
    return count


def _nothing_recorded() -> str:
    return "say something to it first; trace.enabled in the configuration must be true"


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    """Open; raises StorageError for a newer file."""
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        version: int = database.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error:
        database.close()
        raise
    if version > SCHEMA:
        database.close()
        raise StorageError(
            f"written by a newer version (schema {version}; this one reads up to {SCHEMA})",
            where=str(path),
            remedy=f"update the assistant, or {_REMEDY}",
        )
    return database


def _open_to_read(path: Path) -> sqlite3.Connection | None:
    """Open for reading, also on a disk that cannot be written; None while the file is still empty."""
    uri = path.absolute().as_uri()
    try:
        database = _connect(f"{uri}?mode=ro", path)
    except sqlite3.OperationalError:
        database = _connect(f"{uri}?mode=ro&immutable=1", path)
    try:
        found = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'decisions'").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    if found is None:
        database.close()
        return None
    return database


def _set_up(database: sqlite3.Connection) -> None:
    """Make the table if need be, and have this connection keep to size and secrecy."""
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA secure_delete = ON").fetchall()
    database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}").fetchall()
    database.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}").fetchall()
    with _transaction(database):
        database.execute(_TABLE)
        database.execute("CREATE INDEX IF NOT EXISTS by_age ON decisions (at)")
        database.execute(f"PRAGMA user_version = {SCHEMA}")


def _free_id(database: sqlite3.Connection, at: float) -> str:
    """The moment as an id, UTC to the millisecond; a later one where it is taken."""
    millisecond = round(at * 1000)
    while True:
        moment = datetime.fromtimestamp(millisecond / 1000, timezone.utc)
        id_ = f"{moment:%Y%m%d-%H%M%S}.{millisecond % 1000:03d}"
        if database.execute("SELECT 1 FROM decisions WHERE id = ?", (id_,)).fetchone() is None:
            return id_
        millisecond += 1


def _give_back(database: sqlite3.Connection) -> None:
    """Return free pages to the disk; as a script, since `execute` would free but one of them."""
    database.executescript("PRAGMA incremental_vacuum")


def _used_bytes(database: sqlite3.Connection) -> int:
    pages: int = database.execute("PRAGMA page_count").fetchone()[0]
    free: int = database.execute("PRAGMA freelist_count").fetchone()[0]
    return (pages - free) * PAGE_BYTES


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def _as_storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(str(error), where=str(path), remedy="make room, or make it writable") from error
    except sqlite3.DatabaseError as error:
        raise StorageError(str(error), where=str(path), remedy=_REMEDY) from error
    except OSError as error:
        raise StorageError(
            error.strerror or str(error), where=str(path), remedy="set paths.state to a folder that can be written"
        ) from error
