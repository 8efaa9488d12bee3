from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.audio.capture import RING_S, Capture
from assistant.testing import HeldClock
from assistant.types import SAMPLE_RATE_HZ, AudioBlock

BEGAN_AT = 500.0


class Microphone:
    """Calls back as PortAudio does: 20 ms of frames at a time, on time by a clock that the test holds."""

    def __init__(self, rate_hz: int, channels: int = 1) -> None:
        self.clock = HeldClock(monotonic_s=BEGAN_AT)
        self.wake = threading.Event()
        self.capture = Capture(channels, rate_hz, self.clock, self.wake)
        self.block = rate_hz // 50
        self.channels = channels
        self.recorded = 0

    def speak(self, blocks: int) -> None:
        """A ramp that every channel carries at its own slope, so that sound shows when it was recorded."""
        for _ in range(blocks):
            self.clock.advance(0.02)
            time_s = (self.recorded + np.arange(self.block)) / (50 * self.block)
            ramp = (200 * time_s[:, np.newaxis] / (1 + np.arange(self.channels))).astype(np.int16)
            self.capture.callback(ramp, self.block, None, None)
            self.recorded += self.block

    def lose(self, blocks: int) -> None:
        """Sound that never reaches us: neither called back nor flagged."""
        self.clock.advance(0.02 * blocks)
        self.recorded += blocks * self.block


def times_shown(blocks: list[AudioBlock]) -> NDArray[np.float64]:
    """When the middle of each block was recorded, as its ramp tells."""
    return np.array([BEGAN_AT + np.median(block.pcm[0]) / 200 for block in blocks])


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_each_block_carries_the_time_of_its_sound(rate_hz: int) -> None:
    microphone = Microphone(rate_hz, channels=2)
    blocks = []
    for _ in range(100):
        microphone.speak(1)
        blocks += microphone.capture.blocks()
    assert 98 <= len(blocks) <= 100
    assert all(block.pcm.shape == (2, 320) and block.gap == 0 for block in blocks)
    assert [block.at for block in blocks] == pytest.approx([BEGAN_AT + 0.02 * index for index in range(len(blocks))])
    assert times_shown(blocks[2:]) == pytest.approx([block.at + 0.01 for block in blocks[2:]], abs=0.006)
    assert microphone.wake.is_set()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_a_reader_that_was_away_too_long_is_told_what_it_missed_and_hears_on(rate_hz: int) -> None:
    microphone = Microphone(rate_hz)
    away = 150
    microphone.speak(away)
    before = microphone.capture.blocks()
    after: list[AudioBlock] = []
    for _ in range(50):
        microphone.speak(1)
        after += microphone.capture.blocks()
    assert len(before) == pytest.approx(RING_S / 0.02, abs=1)
    assert len(after) >= 48
    assert after[0].gap == pytest.approx((away * 0.02 - RING_S) * SAMPLE_RATE_HZ, abs=330)
    assert after[0].at == pytest.approx(BEGAN_AT + away * 0.02)
    assert after[0].at == pytest.approx(before[-1].at + 0.02 + after[0].gap / SAMPLE_RATE_HZ, abs=1e-4)
    assert not any(block.gap for block in (*before, *after[1:]))
    assert times_shown(after[2:]) == pytest.approx([block.at + 0.01 for block in after[2:]], abs=0.006)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_sound_that_vanished_on_the_way_is_told_as_a_gap(rate_hz: int) -> None:
    microphone = Microphone(rate_hz)
    blocks: list[AudioBlock] = []
    for _ in range(200):
        microphone.speak(1)
        blocks += microphone.capture.blocks()
    microphone.lose(20)
    for _ in range(300):
        microphone.speak(1)
        blocks += microphone.capture.blocks()
    told = [block.gap for block in blocks if block.gap]
    assert len(told) == 1
    assert told[0] == pytest.approx(20 * 320, abs=2 * 320)  # what was half cut is lost as well
    assert times_shown(blocks[-50:]) == pytest.approx([block.at + 0.01 for block in blocks[-50:]], abs=0.01)


@settings(deadline=None, max_examples=50)
@given(pattern=st.lists(st.integers(0, 140), min_size=1, max_size=12), rate_hz=st.sampled_from([16_000, 44_100]))
def test_blocks_and_gaps_together_are_all_that_was_recorded(pattern: list[int], rate_hz: int) -> None:
    """Whatever the reader's rhythm: the sound delivered and the gaps told add up, but for what is still being cut."""
    microphone = Microphone(rate_hz)
    blocks: list[AudioBlock] = []
    for burst in [*pattern, 3]:
        microphone.speak(burst)
        blocks += microphone.capture.blocks()
    told = sum(block.pcm.shape[1] + block.gap for block in blocks)
    unread = microphone.capture.ring.statistics()
    recorded = microphone.recorded * SAMPLE_RATE_HZ / rate_hz
    pending = 2 * 320 + (unread.dropped * SAMPLE_RATE_HZ / rate_hz if not unread.fill else 0)
    assert -len(blocks) <= recorded - told <= pending
    for one, other in pairwise(blocks):
        assert other.at == pytest.approx(one.at + 0.02 + other.gap / SAMPLE_RATE_HZ, abs=0.001)


def test_a_patient_reader_is_woken_only_when_enough_sound_waits() -> None:
    microphone = Microphone(48_000)
    microphone.capture.wake_from = 5 * microphone.block
    microphone.speak(4)
    assert not microphone.wake.is_set()
    microphone.speak(1)
    assert microphone.wake.is_set()
    assert len(microphone.capture.blocks()) >= 4
