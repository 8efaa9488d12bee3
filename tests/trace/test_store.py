"""The store beside the conversation: `note` never waits and never fails, what is lost is counted and said once."""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.grammar.tree import Context
from assistant.testing import HeldClock
from assistant.trace.file import FILE, SCHEMA, Limits, TraceReader
from assistant.trace.store import QUEUE_LENGTH, TraceStore, from_flac
from assistant.types import Decision, Transcript, Utterance
from tests.trace.decisions import AT, ROOMY, decision_about, typed

SAID = "a large latte with milk"


@pytest.fixture(scope="module")
def decision(barista: Context) -> Decision:
    return typed(SAID, barista)


def ids_in(folder: Path) -> list[str]:
    reader = TraceReader(folder)
    try:
        return reader.ids()
    finally:
        reader.close()


def test_what_is_noted_can_be_read_after_closing(tmp_path: Path, clock: HeldClock, barista: Context) -> None:
    with TraceStore(tmp_path, ROOMY, clock) as store:
        for number, text in enumerate(("a large latte", "a small mocha")):
            store.note(typed(text, barista, at=AT + number))
    reader = TraceReader(tmp_path)
    assert [record.final.slots["coffeeDrink"] for record in reader.records()] == ["latte", "mocha"]
    reader.close()
    assert store.lost == 0


def test_a_flush_waits_for_the_disk_and_a_second_close_does_nothing(
    tmp_path: Path, clock: HeldClock, decision: Decision
) -> None:
    store = TraceStore(tmp_path, ROOMY, clock)
    store.note(decision)
    store.flush()
    assert len(ids_in(tmp_path)) == 1
    store.close()
    store.close()


def test_a_closed_store_keeps_nothing(tmp_path: Path, clock: HeldClock, decision: Decision) -> None:
    store = TraceStore(tmp_path, ROOMY, clock)
    store.close()
    store.note(decision)
    assert list(tmp_path.iterdir()) == []


def test_sound_is_kept_only_when_asked_and_comes_back_sample_by_sample(
    tmp_path: Path, clock: HeldClock, heard: list[tuple[Utterance, Transcript]], barista: Context
) -> None:
    utterance, transcript = heard[0]
    decision = decision_about(transcript, barista, utterance=utterance)
    for folder, sound in (("without", False), ("with", True)):
        with TraceStore(tmp_path / folder, ROOMY, clock, sound=sound) as store:
            store.note(decision)
    without, with_sound = TraceReader(tmp_path / "without"), TraceReader(tmp_path / "with")
    assert without.sound(without.find("last")) is None
    data = with_sound.sound(with_sound.find("last"))
    assert data is not None
    assert len(data) < utterance.pcm.nbytes
    np.testing.assert_array_equal(from_flac(data), utterance.pcm)
    without.close()
    with_sound.close()


def test_a_disk_that_hangs_holds_nobody_up_and_loses_the_newest(
    tmp_path: Path, clock: HeldClock, decision: Decision, caplog: pytest.LogCaptureFixture
) -> None:
    store = TraceStore(tmp_path, ROOMY, clock)
    store.note(decision)
    store.flush()
    blocker = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    for _ in range(QUEUE_LENGTH + 10):
        store.note(decision)
    assert 9 <= store.lost <= 10  # one may be in the writer's hands
    blocker.execute("ROLLBACK")
    blocker.close()
    store.close()
    assert len(ids_in(tmp_path)) == 1 + QUEUE_LENGTH + 10 - store.lost
    assert [record.getMessage() for record in caplog.records] == [
        "decisions are not recorded: the disk is too slow",
        f"decisions are recorded again; {store.lost} were lost",
    ]


def test_a_file_that_is_removed_meanwhile_is_begun_anew(tmp_path: Path, clock: HeldClock, decision: Decision) -> None:
    with TraceStore(tmp_path, ROOMY, clock) as store:
        store.note(decision)
        store.flush()
        for path in tmp_path.glob(f"{FILE}*"):
            path.unlink()
        store.note(decision)
    assert len(ids_in(tmp_path)) == 1
    assert store.lost == 0


def make_newer(folder: Path) -> None:
    database = sqlite3.connect(folder / FILE)
    database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    database.close()


def make_damaged(folder: Path) -> None:
    (folder / FILE).write_bytes(os.urandom(9_000))


def make_impossible(folder: Path) -> None:
    folder.rmdir()
    folder.write_text("a file where the folder should be")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(make_newer, "newer version"), (make_damaged, "not a database"), (make_impossible, "Not a directory|File exists")],
)
def test_what_cannot_be_written_is_counted_and_said_once_without_what_was_said(
    spoil: Callable[[Path], None],
    said: str,
    tmp_path: Path,
    clock: HeldClock,
    decision: Decision,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    spoil(folder)
    caplog.set_level(logging.DEBUG)
    with TraceStore(folder, ROOMY, clock) as store:
        for _ in range(3):
            store.note(decision)
    assert store.lost == 3
    (message,) = [record.getMessage() for record in caplog.records]
    assert re.search(said, message)
    assert not any(word in caplog.text for word in SAID.split() if len(word) > 1)


def test_nothing_that_was_said_is_logged_when_all_goes_well(
    tmp_path: Path, clock: HeldClock, decision: Decision, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with TraceStore(tmp_path, ROOMY, clock) as store:
        store.note(decision)
    assert caplog.text == ""


def test_a_decision_that_cannot_be_written_down_is_lost_alone(
    tmp_path: Path, clock: HeldClock, decision: Decision, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(decision, transcript=replace(decision.transcript, text=SAID, hypotheses=(None,)))  # type: ignore[arg-type]
    with TraceStore(tmp_path, ROOMY, clock) as store:
        store.note(broken)
        store.note(decision)
    assert (store.lost, len(ids_in(tmp_path))) == (1, 1)
    assert "AttributeError in" in caplog.records[0].getMessage()
    assert "latte" not in caplog.text


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of half a megabyte: a real one where this may mount, else the test is skipped."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs to be root, outside a container")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_records_and_nothing_else_and_room_mends_it(
    tmp_path: Path, clock: HeldClock, decision: Decision
) -> None:
    with small_disk(tmp_path / "disk") as disk, TraceStore(disk, ROOMY, clock) as store:
        store.note(decision)
        store.flush()
        with pytest.raises(OSError, match="No space left"):
            (disk / "hog").write_bytes(bytes(600_000))
        for _ in range(40):
            store.note(decision)
        store.flush()
        lost = store.lost
        assert lost > 0
        (disk / "hog").unlink()
        store.note(decision)
        store.close()
        assert store.lost == lost
        assert len(ids_in(disk)) == 42 - lost


def test_a_full_disk_is_survived_where_the_size_of_files_is_limited(
    tmp_path: Path, clock: HeldClock, decision: Decision
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = TraceStore(tmp_path, Limits(50_000_000, 1e9), clock)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        for _ in range(60):
            store.note(decision)
        store.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    lost = store.lost
    assert 0 < lost < 60
    store.note(decision)
    store.close()
    assert store.lost == lost
    assert len(ids_in(tmp_path)) == 61 - lost


READ_ONLY = """
import os, sys
from pathlib import Path
from assistant.clock import SystemClock
from assistant.grammar.load import load_context
from assistant.trace.file import Limits, TraceReader
from assistant.trace.store import TraceStore
from tests.trace.decisions import typed
folder, decision = Path(sys.argv[1]), typed("a large latte", load_context("examples/barista"))
if os.geteuid() == 0:
    os.setuid(65534)
with TraceStore(folder, Limits(10**7, 1e9), SystemClock()) as store:
    store.note(decision)
print(store.lost)
"""


def test_a_folder_that_may_not_be_written_costs_the_record_only(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o500)
    command = [sys.executable, "-c", READ_ONLY, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert (done.stdout, done.returncode) == ("1\n", 0)
    assert done.stderr.count("decisions are not recorded") == 1
    assert "latte" not in done.stderr
