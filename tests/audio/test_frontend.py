from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.audio.array import SPEED_OF_SOUND_M_S, Array, arrival_delays_s, towards
from assistant.audio.frontend import DelayAndSum, FrontEnd, Mean, OffsetRemoval, Pick, fractional_delay, front_end
from assistant.errors import ConfigError
from assistant.types import SAMPLE_RATE_HZ, AudioBlock

SQUARE = Array.of([[0.0323, 0.0323], [-0.0323, 0.0323], [-0.0323, -0.0323], [0.0323, -0.0323]])  # 64.6 mm aside
LINE = Array.of([[-0.15, 0], [-0.05, 0], [0.05, 0], [0.15, 0]])


def make(kind: str) -> FrontEnd:
    return front_end(kind, 4, index=2, array=SQUARE, azimuth_deg=30)


def run(front: FrontEnd, sound: NDArray[np.int16], at: list[int]) -> NDArray[np.int16]:
    pieces = np.split(sound, sorted(each % (sound.shape[1] + 1) for each in at), axis=1)
    frames = [front.process(AudioBlock(piece, 0.0)).pcm for piece in pieces]
    return np.concatenate(frames)


def scene(array: Array, azimuth_deg: float, seconds: float = 0.5) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
    """Speech-band noise from one direction, and what each microphone hears of it: delayed exactly, by the spectrum."""
    samples = round(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(samples))
    frequencies = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    spectrum[(frequencies < 200) | (frequencies > 6_000)] = 0
    delays = arrival_delays_s(array, azimuth_deg)
    heard = np.fft.irfft(spectrum * np.exp(-2j * np.pi * frequencies * delays[:, np.newaxis]), samples)
    source = np.fft.irfft(spectrum, samples)
    scale = 8_000 / np.abs(source).max()
    return source * scale, np.rint(heard * scale).astype(np.int16)


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(["pick", "mean", "delay_and_sum"]),
    samples=st.integers(0, 2_000),
    at=st.lists(st.integers(0, 2_000), max_size=8),
)
def test_streaming_equals_batch(kind: str, samples: int, at: list[int]) -> None:
    """Up to one step of rounding: sums are the same, but not always added in the same order."""
    sound = np.random.default_rng(11).integers(-8_000, 8_000, (4, 320 + samples)).astype(np.int16)
    at = [320 + each % (samples + 1) for each in at]  # the offset is primed with the first block
    first = [320]
    whole, pieces = run(make(kind), sound, first), run(make(kind), sound, first + at)
    assert len(whole) == len(pieces) == sound.shape[1]
    assert np.abs(whole.astype(int) - pieces).max() <= 1


@pytest.mark.parametrize("azimuth_deg", [0, 37.5, 90, 180, 250])
@pytest.mark.parametrize("array", [SQUARE, LINE], ids=["square", "line"])
def test_sound_from_the_chosen_direction_comes_out_as_it_was_and_on_time(array: Array, azimuth_deg: float) -> None:
    source, heard = scene(array, azimuth_deg)
    front = DelayAndSum(array, azimuth_deg)
    frame = front.process(AudioBlock(heard, at=1.0))
    late = (1.0 - frame.at) * SAMPLE_RATE_HZ
    # Compare at the time that the frame claims: the source delayed by its latency, which is no whole number of samples.
    spectrum = np.fft.rfft(source) * np.exp(-2j * np.pi * np.fft.rfftfreq(len(source)) * late)
    expected = np.fft.irfft(spectrum, len(source))[200:-200]
    error = frame.pcm[200:-200] - expected
    assert 10 * np.log10(np.mean(error**2) / np.mean(expected**2)) < -30


def test_sound_from_elsewhere_is_weakened() -> None:
    _, from_ahead = scene(LINE, 90)
    _, from_the_side = scene(LINE, 0)
    ahead = DelayAndSum(LINE, 90).process(AudioBlock(from_ahead, 0.0)).pcm.astype(float)
    side = DelayAndSum(LINE, 90).process(AudioBlock(from_the_side, 0.0)).pcm.astype(float)
    assert 10 * np.log10(np.mean(ahead**2) / np.mean(side**2)) > 5


def test_independent_noise_falls_by_the_number_of_microphones() -> None:
    noise = np.random.default_rng(13).normal(0, 2_000, (4, 32_000)).astype(np.int16)
    one = Pick(4, 0).process(AudioBlock(noise, 0.0)).pcm.astype(float)
    summed = DelayAndSum(SQUARE, 0).process(AudioBlock(noise, 0.0)).pcm.astype(float)
    assert 10 * np.log10(np.mean(one**2) / np.mean(summed**2)) == pytest.approx(6.0, abs=0.7)


@given(st.floats(0, 12))
def test_a_fractional_delay_delays_by_that_much(delay: float) -> None:
    taps = fractional_delay(delay)
    for frequency_hz in (300, 1_000, 3_000, 6_000):
        turn = 2 * np.pi * frequency_hz / SAMPLE_RATE_HZ
        response = np.sum(taps * np.exp(-1j * turn * np.arange(len(taps))))
        expected = np.exp(-1j * turn * (delay + 15))
        assert abs(response - expected) < 0.02


def test_a_plane_wave_reaches_the_nearer_microphone_first() -> None:
    delays = arrival_delays_s(LINE, azimuth_deg=0)
    assert list(np.argsort(delays)) == [3, 2, 1, 0]
    assert delays[0] - delays[3] == pytest.approx(0.3 / SPEED_OF_SOUND_M_S)
    assert arrival_delays_s(LINE, azimuth_deg=90) == pytest.approx(0)
    assert towards(0, 90) == pytest.approx([0, 0, 1])


def test_pick_takes_the_microphone_and_mean_takes_all() -> None:
    wave = (8_000 * np.sin(2 * np.pi * 440 * np.arange(320) / SAMPLE_RATE_HZ)).astype(np.int16)
    block = AudioBlock(np.stack((wave, -wave, wave // 2, 0 * wave)), at=3.0, gap=5)
    frame = Pick(4, 1).process(block)
    assert (frame.at, frame.gap) == (3.0, 5)
    assert np.corrcoef(frame.pcm, -wave)[0, 1] > 0.999
    assert np.abs(Mean(2).process(AudioBlock(block.pcm[:2], 0.0)).pcm).max() <= 1
    assert not frame.pcm.flags.writeable


def test_a_gap_does_not_let_old_sound_into_the_new() -> None:
    loud = np.random.default_rng(17).normal(0, 5_000, (4, 320)).astype(np.int16)
    quiet = np.zeros((4, 320), np.int16)
    without_gap, with_gap = DelayAndSum(SQUARE, 0), DelayAndSum(SQUARE, 0)
    for front in (without_gap, with_gap):
        front.process(AudioBlock(loud, 0.0))
    assert np.ptp(without_gap.process(AudioBlock(quiet, 0.02)).pcm[:20]) > 1_000
    assert np.ptp(with_gap.process(AudioBlock(quiet, 1.0, gap=9)).pcm[:20]) <= 2


def test_an_offset_is_gone_from_the_first_sample_and_speech_stays() -> None:
    speech = 3_000 * np.sin(2 * np.pi * 150 * np.arange(16_000) / SAMPLE_RATE_HZ)
    removal = OffsetRemoval()
    out = np.concatenate([removal.process(piece) for piece in np.split(speech + 12_000, 50)])
    assert np.abs(out[:320].mean()) < 150
    assert 20 * np.log10(np.std(out) / np.std(speech)) == pytest.approx(0, abs=0.1)
    assert len(removal.process(np.zeros(0))) == 0


def test_offset_removal_is_a_first_order_high_pass_at_5_hz() -> None:
    tone = np.sin(2 * np.pi * 5.0 * np.arange(64_000) / SAMPLE_RATE_HZ)
    out = OffsetRemoval().process(tone)
    assert 20 * np.log10(np.std(out[32_000:]) / np.std(tone)) == pytest.approx(-3.01, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "options", "what"),
    [
        ("loudest", {}, "there is no front end 'loudest'"),
        ("pick", {"index": 4}, "no microphone 4 among 4"),
        ("delay_and_sum", {}, "needs the place of each of the 4 microphones"),
        ("delay_and_sum", {"array": Array.of([[0, 0]])}, "needs the place of each of the 4"),
    ],
)
def test_a_front_end_that_cannot_be_is_refused(kind: str, options: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        front_end(kind, 4, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("places", [[], [[1.0]], [[0.0, float("nan")]], [[0, 0], [0, 0, 0]], [[[0.0]]]])
def test_a_geometry_that_is_none_is_refused(places: list[list[float]]) -> None:
    with pytest.raises(ConfigError, match="not a list of places"):
        Array.of(places)


@pytest.mark.parametrize("kind", ["pick", "mean", "delay_and_sum"])
def test_a_block_of_other_channels_is_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match="the source has 2 channels, the front end expects 4"):
        make(kind).process(AudioBlock(np.zeros((2, 320), np.int16), 0.0))
    assert isinstance(make(kind), FrontEnd)
