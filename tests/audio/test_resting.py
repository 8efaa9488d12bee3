from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.audio.queued import QueueSource
from assistant.audio.resting import REST_S, Patient, RestfulReader
from assistant.audio.source import Nothing
from assistant.testing import HeldClock
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, AudioBlock

PIECE = round(REST_S * SAMPLE_RATE_HZ)


def ramp(samples: int, channels: int = 1) -> NDArray[np.int16]:
    return np.arange(channels * samples, dtype=np.int16).reshape(channels, samples)


def waiting(samples: int, *, capacity: int = 1000, channels: int = 1) -> QueueSource:
    source = QueueSource(capacity=capacity, channels=channels, clock=HeldClock())
    source.put(ramp(samples, channels))
    return source


def all_of(reader: RestfulReader, at_rest: list[bool]) -> list[AudioBlock]:
    """Read until the end, at rest or not as the list says, over and over."""
    blocks: list[AudioBlock] = []
    for number in range(10_000):
        block = reader.read_at_rest() if at_rest[number % len(at_rest)] else reader.read(0.0)
        if block is Nothing.ENDED:
            return blocks
        if isinstance(block, AudioBlock):
            blocks.append(block)
    raise AssertionError("it never ends")


@given(samples=st.integers(1, 9_000), at_rest=st.lists(st.booleans(), min_size=1, max_size=5))
def test_at_rest_or_not_the_same_sound_comes_at_the_same_times(samples: int, at_rest: list[bool]) -> None:
    source = waiting(samples, channels=2)
    source.end()
    blocks = all_of(RestfulReader(source), at_rest)
    np.testing.assert_array_equal(np.concatenate([block.pcm for block in blocks], axis=1), ramp(samples, 2))
    begins = np.cumsum([0, *(block.pcm.shape[1] for block in blocks[:-1])]) / SAMPLE_RATE_HZ
    np.testing.assert_allclose([block.at - blocks[0].at for block in blocks], begins, atol=1e-9)


def test_at_rest_a_piece_is_what_waits_and_no_longer_than_its_limit() -> None:
    reader = RestfulReader(waiting(PIECE + 2 * FRAME_SAMPLES))
    pieces = [reader.read_at_rest(), reader.read_at_rest()]
    assert [piece.pcm.shape[1] for piece in pieces if isinstance(piece, AudioBlock)] == [PIECE, 2 * FRAME_SAMPLES]


def test_lost_sound_begins_a_new_piece() -> None:
    source = waiting(6 * FRAME_SAMPLES, capacity=2)  # four blocks find no room
    reader = RestfulReader(source)
    first = source.read(0.0)
    assert isinstance(first, AudioBlock)
    source.put(ramp(FRAME_SAMPLES))
    pieces = [reader.read_at_rest(), reader.read_at_rest()]
    assert [piece.gap for piece in pieces if isinstance(piece, AudioBlock)] == [0, 4 * FRAME_SAMPLES]


def test_the_end_is_told_after_the_sound_before_it() -> None:
    source = waiting(FRAME_SAMPLES)
    source.end()
    reader = RestfulReader(source)
    assert isinstance(reader.read_at_rest(), AudioBlock)
    assert reader.read(0.0) is Nothing.ENDED


class Told(QueueSource):
    """A source that is told how patient its reader is."""

    def __init__(self) -> None:
        super().__init__(capacity=10, clock=HeldClock())
        self.patience: list[float] = []

    def wake_after(self, sound_s: float) -> None:
        self.patience.append(sound_s)


def test_the_source_is_told_once_when_rest_begins_and_when_it_ends() -> None:
    source = Told()
    assert isinstance(source, Patient)
    source.put(ramp(8 * FRAME_SAMPLES))
    reader = RestfulReader(source)
    reader.read(0.0)
    reader.read_at_rest()
    reader.read_at_rest()
    reader.read(0.0)
    assert source.patience == [pytest.approx(REST_S), 0.0]
