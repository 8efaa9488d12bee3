"""What waits for a broker, and the file that keeps it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import StorageError
from assistant.integrations.outbox import (
    FILE,
    Message,
    OutboxFile,
    Queue,
    Waiting,
    admitted,
    fresh,
    shortened,
    without,
)

KEEP_S = 60.0

MESSAGES = st.builds(Message, st.sampled_from(["a", "b", "c"]), st.binary(max_size=8), st.booleans())
ARRIVALS = st.lists(st.tuples(MESSAGES, st.floats(-90_000, 90_000)), max_size=30)


def queue_of(arrivals: list[tuple[Message, float]], most: int = 1_000) -> Queue:
    queue: Queue = ()
    for number, (message, at) in enumerate(arrivals, 1):
        queue = admitted(queue, Waiting(number, message, at), KEEP_S, most)
    return queue


@given(ARRIVALS)
def test_of_each_state_only_the_newest_waits_however_long(arrivals: list[tuple[Message, float]]) -> None:
    newest = {message.topic: message for message, _ in arrivals if message.retain}
    kept = fresh(queue_of(arrivals), 1e9, KEEP_S)
    assert {waiting.message.topic: waiting.message for waiting in kept} == newest
    assert len(kept) == len(newest)


@given(ARRIVALS, st.floats(-90_000, 90_000))
def test_no_event_is_told_late_whatever_the_clock_does(arrivals: list[tuple[Message, float]], now: float) -> None:
    for waiting in fresh(queue_of(arrivals), now, KEEP_S):
        assert waiting.message.retain or 0 <= now - waiting.at <= KEEP_S


@given(ARRIVALS, st.integers(1, 5))
def test_the_queue_stays_short_and_in_order_and_prefers_states(
    arrivals: list[tuple[Message, float]], most: int
) -> None:
    whole = queue_of([(message, 0.0) for message, _ in arrivals])
    short = shortened(whole, most)
    assert len(short) == min(most, len(whole))
    assert [waiting.number for waiting in short] == sorted(waiting.number for waiting in short)
    if any(not waiting.message.retain for waiting in short):
        assert all(waiting in short for waiting in whole if waiting.message.retain)
    last = [waiting for waiting in whole if not waiting.message.retain][-1:]
    assert all(waiting in short for waiting in last) or all(waiting.message.retain for waiting in short)


@given(st.lists(ARRIVALS, min_size=1, max_size=4))
def test_the_file_holds_exactly_what_was_saved_last(rounds: list[list[tuple[Message, float]]]) -> None:
    file = OutboxFile(None)
    try:
        for arrivals in rounds:
            queue = queue_of(arrivals)
            file.save(queue)
            assert file.load() == queue
        file.save(without(queue, [waiting.number for waiting in queue]))
        assert file.load() == ()
    finally:
        file.close()


def test_what_was_saved_outlives_a_kill(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from assistant.integrations.outbox import Message, OutboxFile, Waiting
OutboxFile(Path({str(tmp_path)!r})).save((Waiting(7, Message("hermes/intent/HassTurnOn", b"{{}}"), 12.5),))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    file = OutboxFile(tmp_path)
    assert file.load() == (Waiting(7, Message("hermes/intent/HassTurnOn", b"{}"), 12.5),)
    file.close()


def test_a_damaged_file_is_said_and_not_written_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database " * 1_000)
    with pytest.raises(StorageError, match="it is no database: move it away"):
        OutboxFile(tmp_path)
    assert (tmp_path / FILE).read_bytes().startswith(b"no database")


def test_a_folder_that_cannot_be_written_costs_only_what_a_crash_would_lose(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    file = OutboxFile(blocked / "below")
    queue = (Waiting(1, Message("topic", json.dumps({}).encode()), 0.0),)
    file.save(queue)
    assert file.load() == queue
    file.close()
