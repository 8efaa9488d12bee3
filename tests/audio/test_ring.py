from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.audio.ring import Chunk, Ring

STEPS = st.lists(st.tuples(st.sampled_from(["write", "read"]), st.integers(0, 12)), max_size=60)


def numbered(first: int, count: int) -> NDArray[np.int16]:
    """Frames that carry their own number, in two channels."""
    return np.stack((np.arange(first, first + count), -np.arange(first, first + count)), axis=1).astype(np.int16)


@given(capacity=st.integers(1, 9), steps=STEPS)
def test_what_comes_out_is_what_went_in_and_every_loss_is_told_where_it_is(
    capacity: int, steps: list[tuple[str, int]]
) -> None:
    ring = Ring(capacity, 2)
    offered = 0
    expected_next = 0
    dropped = 0
    for step, count in steps:
        if step == "write":
            dropped += ring.write(numbered(offered, count))
            offered += count
        elif (chunk := ring.read(count)) is not None:
            assert 1 <= len(chunk.frames) <= count
            assert chunk.first == expected_next + chunk.gap
            np.testing.assert_array_equal(chunk.frames, numbered(chunk.first, len(chunk.frames)))
            expected_next = chunk.first + len(chunk.frames)
    statistics = ring.statistics()
    assert ring.offered == offered
    assert statistics.dropped == dropped
    assert statistics.fill <= statistics.peak <= statistics.capacity == capacity


def test_a_late_reader_gets_the_oldest_frames_and_the_next_chunk_carries_the_gap() -> None:
    ring = Ring(4, 2)
    assert ring.write(numbered(0, 6)) == 2
    first = ring.read(10)
    assert first is not None
    np.testing.assert_array_equal(first.frames, numbered(0, 4))
    assert first.gap == 0
    ring.write(numbered(6, 3))
    second = ring.read(10)
    assert second is not None
    assert (second.gap, second.first, len(second.frames)) == (2, 6, 3)


def test_a_chunk_never_spans_a_gap() -> None:
    ring = Ring(4, 2)
    ring.write(numbered(0, 5))
    ring.read(2)
    ring.write(numbered(5, 2))
    before, after = ring.read(10), ring.read(10)
    assert before is not None
    assert after is not None
    assert (before.first, len(before.frames), before.gap) == (2, 2, 0)
    assert (after.first, len(after.frames), after.gap) == (5, 2, 1)


def test_a_chunk_is_the_readers_own() -> None:
    ring = Ring(2, 2)
    ring.write(numbered(0, 2))
    chunk = ring.read(2)
    ring.write(numbered(7, 2))
    assert chunk is not None
    np.testing.assert_array_equal(chunk.frames, numbered(0, 2))


def test_an_empty_ring_gives_nothing() -> None:
    assert Ring(3, 1).read(1) is None


@pytest.mark.parametrize(("capacity", "channels"), [(0, 1), (1, 0)])
def test_a_ring_without_room_is_refused(capacity: int, channels: int) -> None:
    with pytest.raises(ValueError, match="room for at least one frame"):
        Ring(capacity, channels)


def test_one_writer_and_one_reader_thread_lose_nothing_untold() -> None:
    ring = Ring(64, 2)
    total = 30_000
    chunks: list[Chunk] = []
    writing = threading.Event()

    def write() -> None:
        for first in range(0, total, 7):
            ring.write(numbered(first, min(7, total - first)))
        writing.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not writing.is_set() or ring.statistics().fill:
        if (chunk := ring.read(13)) is not None:
            chunks.append(chunk)
    writer.join()
    expected_next = 0
    for chunk in chunks:
        assert chunk.first == expected_next + chunk.gap
        np.testing.assert_array_equal(chunk.frames, numbered(chunk.first, len(chunk.frames)))
        expected_next = chunk.first + len(chunk.frames)
    assert sum(len(chunk.frames) for chunk in chunks) + ring.statistics().dropped == total
