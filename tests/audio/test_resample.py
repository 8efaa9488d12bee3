from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.audio.resample import BlockCutter, to_float, to_int16
from assistant.types import FRAME_SAMPLES

RATES = st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000, 96_000])


def noise(frames: int, channels: int) -> NDArray[np.float32]:
    return (0.3 * np.random.default_rng(1).standard_normal((frames, channels))).astype(np.float32)


def cut(sound: NDArray[np.float32], rate_hz: int, at: list[int]) -> list[NDArray[np.int16]]:
    cutter = BlockCutter(rate_hz, sound.shape[1])
    blocks = []
    for piece in np.split(sound, sorted(each % (len(sound) + 1) for each in at)):
        blocks += cutter.push(piece)
    return blocks + cutter.finish()


@settings(deadline=None, max_examples=60)
@given(rate_hz=RATES, frames=st.integers(0, 6_000), channels=st.integers(1, 8), at=st.lists(st.integers(0, 6_000)))
def test_the_same_samples_come_out_however_the_sound_is_cut(
    rate_hz: int, frames: int, channels: int, at: list[int]
) -> None:
    sound = noise(frames, channels)
    whole, pieces = cut(sound, rate_hz, []), cut(sound, rate_hz, at)
    assert [block.shape for block in pieces] == [block.shape for block in whole]
    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one, other)
    assert sum(block.shape[1] for block in whole) == pytest.approx(frames * 16_000 / rate_hz, abs=1)
    assert all(block.shape == (channels, FRAME_SAMPLES) for block in whole[:-1])
    assert not any(block.flags.writeable for block in whole)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_streaming_agrees_with_soxr_on_the_whole_sound(rate_hz: int) -> None:
    sound = noise(rate_hz, 2)
    expected = to_int16(soxr.resample(sound, rate_hz, 16_000, "HQ"))
    got = np.concatenate(cut(sound, rate_hz, [123, 4_567]), axis=1).T
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("tone_hz", [9_000, 12_000, 20_000])
def test_what_16_khz_cannot_hold_does_not_fold_back(tone_hz: int) -> None:
    tone = (0.5 * np.sin(2 * np.pi * tone_hz * np.arange(48_000) / 48_000)).astype(np.float32)[:, np.newaxis]
    got = np.concatenate(cut(tone, 48_000, []), axis=1)
    assert np.abs(got[:, 1_600:-1_600]).max() <= 1


def test_int16_at_16_khz_passes_bit_for_bit() -> None:
    pcm = np.arange(-32_768, 32_768, dtype=np.int16)[:, np.newaxis]
    np.testing.assert_array_equal(np.concatenate(cut(to_float(pcm), 16_000, [5_000]), axis=1).T, pcm)


def test_what_is_too_loud_is_clipped_and_not_wrapped() -> None:
    np.testing.assert_array_equal(to_int16(np.array([2.0, -2.0, 1.0], np.float32)), [32_767, -32_768, 32_767])
