"""The file under timers, lists and devices."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from assistant.act.database import Database
from assistant.act.keep import FORGETFUL, open_kept
from assistant.errors import StorageError

ONE = "CREATE TABLE things (name TEXT NOT NULL UNIQUE) STRICT"
TWO = "ALTER TABLE things ADD COLUMN size INTEGER; CREATE INDEX sizes ON things (size)"


def add(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO things (name) VALUES (?)", (name,))


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.rows("SELECT name FROM things ORDER BY name")]


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", (ONE,))
    assert [*database.rows("PRAGMA journal_mode")[0]] == ["wal"]
    assert [*database.rows("PRAGMA synchronous")[0]] == [2]
    database.close()


def test_what_raises_inside_a_transaction_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", (ONE,))
    with contextlib.suppress(RuntimeError), database.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('a')")
        raise RuntimeError
    assert names(database) == []
    database.close()


def test_an_old_file_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    old = Database(tmp_path / "x.db", (ONE,))
    add(old, "a")
    old.close()
    new = Database(tmp_path / "x.db", (ONE, TWO))
    assert [tuple(row) for row in new.rows("SELECT name, size FROM things")] == [("a", None)]
    new.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    Database(tmp_path / "x.db", (ONE,)).close()
    with pytest.raises(StorageError):
        Database(tmp_path / "x.db", (ONE, "CREATE TABLE other (x INTEGER); ALTER TABLE nothing ADD COLUMN y"))
    again = Database(tmp_path / "x.db", (ONE,))
    assert [row[0] for row in again.rows("SELECT name FROM sqlite_master WHERE type = 'table'")] == ["things"]
    again.close()


def test_two_connections_that_open_a_new_file_at_once_both_get_it(tmp_path: Path) -> None:
    opened: list[Database] = []
    start = threading.Barrier(4)

    def open_it() -> None:
        start.wait()
        opened.append(Database(tmp_path / "x.db", (ONE, TWO)))

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    add(opened[0], "a")
    assert [names(database) for database in opened] == [["a"]] * 4
    for database in opened:
        database.close()


def test_threads_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    databases = [Database(tmp_path / "x.db", (ONE,)) for _ in range(2)]

    def write(number: int) -> None:
        for step in range(20):
            add(databases[number % 2], f"{number}-{step}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(databases[0])) == 80
    assert databases[0].sound()
    for database in databases:
        database.close()


def test_a_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"this is no database, but something that somebody wrote\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="move it away"):
        open_kept(tmp_path, "x.db", (ONE,))
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_gives_a_database_in_memory_and_a_word_about_it() -> None:
    kept = open_kept(Path("/proc/nothing"), "x.db", (ONE,))
    add(kept.database, "a")
    assert (names(kept.database), kept.notice) == (["a"], FORGETFUL)
    kept.database.close()
