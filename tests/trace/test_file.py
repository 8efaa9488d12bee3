"""The file of records: limited, readable while written, forgetting for good, sound after a kill, closed to others."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from assistant.errors import StorageError
from assistant.grammar.tree import Context
from assistant.trace.file import FILE, SCHEMA, Limits, TraceFile, TraceReader, forget, forget_all, forget_before
from assistant.trace.writing import record_of
from assistant.types import Decision
from tests.trace.decisions import AT, ROOMY, typed

DAY_S = 86_400.0


def add(file: TraceFile, decision: Decision, now: float = AT, sound: bytes | None = None) -> str:
    return file.add(partial(record_of, decision), decision.at, now, sound)


def fill(folder: Path, decision: Decision, count: int, limits: Limits = ROOMY, sound: bytes | None = None) -> list[str]:
    """Add `decision` `count` times, a second after each other."""
    file = TraceFile(folder, limits)
    try:
        return [add(file, replace(decision, at=decision.at + n), sound=sound) for n in range(count)]
    finally:
        file.close()


def ids_in(folder: Path) -> list[str]:
    reader = TraceReader(folder)
    try:
        return reader.ids()
    finally:
        reader.close()


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob(f"{FILE}*")))


@pytest.fixture(scope="module")
def decision(barista: Context) -> Decision:
    return typed("a large latte with milk", barista)


def test_ids_sort_by_time_and_are_told_apart_within_a_millisecond(tmp_path: Path, decision: Decision) -> None:
    file = TraceFile(tmp_path, ROOMY)
    ids = [add(file, decision) for _ in range(3)]
    file.close()
    assert ids == ["20231114-221320.000", "20231114-221320.001", "20231114-221320.002"]
    assert ids_in(tmp_path) == ids


def test_last_is_what_was_added_last_even_when_the_clock_was_set_back(tmp_path: Path, barista: Context) -> None:
    file = TraceFile(tmp_path, ROOMY)
    add(file, typed("a large latte", barista, at=AT))
    earlier = add(file, typed("a small latte", barista, at=AT - DAY_S))
    file.close()
    reader = TraceReader(tmp_path)
    assert reader.find("last") == earlier
    reader.close()


def test_a_decision_is_found_by_its_id_or_a_part_that_no_other_has(tmp_path: Path, decision: Decision) -> None:
    ids = fill(tmp_path, decision, 3)
    reader = TraceReader(tmp_path)
    assert reader.find(ids[1]) == ids[1]
    assert reader.find("322.000") == ids[2]
    with pytest.raises(StorageError, match="3 decisions have '2213' in their id; `assistant why list`"):
        reader.find("2213")
    with pytest.raises(StorageError, match="there is no decision '999'"):
        reader.find("999")
    reader.close()


def test_records_come_back_oldest_first_with_their_sound(tmp_path: Path, barista: Context) -> None:
    file = TraceFile(tmp_path, ROOMY)
    for number, text in enumerate(("a large latte", "a small mocha", "an espresso")):
        add(file, typed(text, barista, at=AT + number), sound=text.encode())
    file.close()
    reader = TraceReader(tmp_path)
    assert [record.text for record in reader.records(2)] == [record.text for record in reader.records()][1:]
    assert reader.sound(reader.ids()[1]) == b"a small mocha"
    assert len(reader) == 3
    reader.close()


def test_the_files_stay_within_their_size_and_the_oldest_make_room(tmp_path: Path, decision: Decision) -> None:
    limits = Limits(max_bytes=1_000_000, max_age_s=1e9)
    file = TraceFile(tmp_path, limits)
    ids = []
    for number in range(120):
        later = replace(decision, at=AT + number)
        ids.append(add(file, later, sound=os.urandom(30_000 if number % 7 else 90_000)))
        assert sum(path.stat().st_size for path in tmp_path.glob(f"{FILE}*") if path.suffix != ".db-shm") <= 1_000_000
    file.close()
    kept = ids_in(tmp_path)
    assert 5 <= len(kept) < 40
    assert kept == ids[-len(kept) :]


def test_a_lower_limit_gives_the_disk_back(tmp_path: Path, decision: Decision) -> None:
    fill(tmp_path, decision, 60, sound=os.urandom(50_000))
    assert (tmp_path / FILE).stat().st_size > 3_000_000
    fill(tmp_path, decision, 1, limits=Limits(max_bytes=1_000_000, max_age_s=1e9))
    assert (tmp_path / FILE).stat().st_size <= 1_000_000


def test_old_records_are_dropped_when_another_is_added(tmp_path: Path, barista: Context) -> None:
    file = TraceFile(tmp_path, Limits(max_bytes=10_000_000, max_age_s=2 * DAY_S))
    for day in range(5):
        add(file, typed("a large latte", barista, at=AT + day * DAY_S), now=AT + day * DAY_S)
    file.close()
    assert [id_[:8] for id_ in ids_in(tmp_path)] == ["20231116", "20231117", "20231118"]


def test_what_is_forgotten_is_gone_from_the_disk_and_the_rest_is_not(tmp_path: Path, barista: Context) -> None:
    file = TraceFile(tmp_path, ROOMY)
    ids = [
        add(file, typed(text, barista, at=AT + number), sound=(text * 2000).encode())
        for number, text in enumerate(("first secret", "second secret", "third secret"))
    ]
    assert b"second secret" * 20 in bytes_on_disk(tmp_path)
    assert forget(tmp_path, [ids[1]]) == 1  # while the writer has it open
    assert b"second secret" not in bytes_on_disk(tmp_path)
    assert b"third secret" in bytes_on_disk(tmp_path)
    assert ids_in(tmp_path) == [ids[0], ids[2]]
    assert forget(tmp_path, [ids[1]]) == 0
    file.close()


def test_forgetting_by_age_and_everything(tmp_path: Path, barista: Context) -> None:
    file = TraceFile(tmp_path, ROOMY)
    for day in range(4):
        add(file, typed("a large latte", barista, at=AT + day * DAY_S), sound=b"secret" * 999)
    assert forget_before(tmp_path, AT + 1.5 * DAY_S) == 2
    assert [id_[:8] for id_ in ids_in(tmp_path)] == ["20231116", "20231117"]
    assert forget_all(tmp_path) == 2
    assert b"secret" not in bytes_on_disk(tmp_path)
    again = add(file, typed("a large latte", barista, at=AT + 9 * DAY_S))
    file.close()
    assert ids_in(tmp_path) == [again]


def test_forgetting_where_nothing_is_recorded_makes_no_file(tmp_path: Path) -> None:
    assert forget_all(tmp_path) == forget_before(tmp_path, AT) == forget(tmp_path, ["x"]) == 0
    assert ids_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_may_read_any_of_the_files(tmp_path: Path, decision: Decision) -> None:
    folder = tmp_path / "state"
    before = os.umask(0)
    try:
        file = TraceFile(folder, ROOMY)
        add(file, decision)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        file.close()
    finally:
        os.umask(before)
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_of_a_newer_version_is_refused_for_reading_and_writing_but_can_be_forgotten(
    tmp_path: Path, decision: Decision
) -> None:
    fill(tmp_path, decision, 1)
    database = sqlite3.connect(tmp_path / FILE)
    database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    database.close()
    for opened in (lambda: TraceReader(tmp_path), lambda: TraceFile(tmp_path, ROOMY)):
        with pytest.raises(StorageError, match=rf"{FILE}: written by a newer version \(schema {SCHEMA + 1}.*update"):
            opened()
    forget_all(tmp_path)
    assert ids_in(tmp_path) == []
    assert len(fill(tmp_path, decision, 1)) == 1


def test_a_damaged_file_is_an_error_with_a_remedy_that_works(tmp_path: Path, decision: Decision) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 1000)
    for opened in (lambda: TraceReader(tmp_path), lambda: TraceFile(tmp_path, ROOMY)):
        with pytest.raises(StorageError, match="not a database; `assistant forget --all` begins a new one"):
            opened()
    forget_all(tmp_path)
    assert len(fill(tmp_path, decision, 1)) == 1


def test_a_reader_sees_whole_records_while_a_writer_adds_and_drops(tmp_path: Path, decision: Decision) -> None:
    limits = Limits(max_bytes=1_000_000, max_age_s=1e9)
    done, failures = threading.Event(), list[BaseException]()
    seen: set[str] = set()
    fill(tmp_path, decision, 1, limits)

    def read() -> None:
        try:
            while not done.is_set():
                reader = TraceReader(tmp_path)
                ids = reader.ids()
                assert ids == sorted(ids)
                seen.update(record.id for record in reader.records(5))
                reader.close()
        except (StorageError, AssertionError) as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    later = replace(decision, at=AT + 1)
    written = fill(tmp_path, later, 300, limits, sound=os.urandom(9_000))
    done.set()
    thread.join()
    assert failures == []
    assert seen & set(written)


def test_two_writers_and_one_that_forgets_lose_nothing(tmp_path: Path, decision: Decision) -> None:
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(fill(tmp_path, decision, 60))) for _ in range(2)]
    fill(tmp_path, decision, 1)
    for thread in threads:
        thread.start()
    assert forget(tmp_path, ["no such"]) == 0
    for thread in threads:
        thread.join()
    assert len(set(results[0]) | set(results[1])) == 120
    assert len(ids_in(tmp_path)) == 121


def test_records_are_read_from_a_disk_that_became_read_only(tmp_path: Path, decision: Decision) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting a disk needs to be root, outside a container")
    try:
        ids = fill(disk, decision, 3)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert ids_in(disk) == ids
        with pytest.raises(StorageError, match="read-only|readonly|Read-only"):
            fill(disk, decision, 1)
        with pytest.raises(StorageError, match="make it writable"):
            forget(disk, ids)
        with pytest.raises(StorageError, match="Read-only file system"):
            forget_all(disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


WRITE_UNTIL_KILLED = """
import itertools, sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from assistant.grammar.load import load_context
from assistant.trace.writing import record_of
from assistant.trace.file import Limits, TraceFile
from tests.trace.decisions import typed
decision = typed("a large latte", load_context("examples/barista"))
file = TraceFile(Path(sys.argv[1]), Limits(1_000_000, 1e9))
for second in itertools.count():
    later = replace(decision, at=decision.at + second)
    print(file.add(partial(record_of, later), later.at, later.at, b"x" * 20_000), flush=True)
"""


@pytest.mark.parametrize("records", [1, 17, 60])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, repository: Path, records: int) -> None:
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(records)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().split()
    reader = TraceReader(tmp_path)
    kept = [record.id for record in reader.records()]
    reader.close()
    first = acknowledged.index(kept[0])  # older ones made room
    assert kept[: len(acknowledged) - first] == acknowledged[first:]
    database = sqlite3.connect(tmp_path / FILE)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
