"""Noise is mixed by the public rule, the same samples on every machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clips import recorded
from benchmarks.conditions import BABBLE, BY_NAME, CLEAN, Room
from benchmarks.mixing import as_int16, babble, choose_voices, loudest_frame_energy, mix
from benchmarks.recordings import barista_orders, read_int16


@given(snr_db=st.floats(-10, 24), key=st.text(max_size=20))
def test_the_mix_has_the_ratio_of_loudest_frames_that_was_asked_for(snr_db: float, key: str) -> None:
    rng = np.random.default_rng(1)
    speech, noise = rng.standard_normal(5000), rng.standard_normal(12000)
    mixed = mix(speech, noise, snr_db, key)
    assert np.abs(mixed).max() == pytest.approx(0.5)
    scale = mixed @ speech / (speech @ speech)  # noise is nearly orthogonal to it
    rest = mixed - scale * speech
    lag = int(np.argmax(np.abs(np.correlate(noise, rest, "valid"))))
    excerpt = noise[lag : lag + len(speech)]
    (a, b), *_ = np.linalg.lstsq(np.stack([speech, excerpt], 1), mixed, rcond=None)
    assert np.allclose(a * speech + b * excerpt, mixed)
    ratio = loudest_frame_energy(a * speech) / loudest_frame_energy(b * excerpt)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=1e-6)


def test_the_same_key_gives_the_same_samples_and_another_key_others() -> None:
    rng = np.random.default_rng(2)
    speech, noise = rng.standard_normal(5000), rng.standard_normal(50000)
    assert np.array_equal(mix(speech, noise, 6, "a"), mix(speech, noise, 6, "a"))
    assert not np.array_equal(mix(speech, noise, 6, "a"), mix(speech, noise, 6, "b"))


def test_noise_shorter_than_the_speech_is_repeated() -> None:
    rng = np.random.default_rng(3)
    assert len(mix(rng.standard_normal(9000), rng.standard_normal(4000), 6, "k")) == 9000


def test_six_different_voices_babble_equally_loud() -> None:
    chosen = choose_voices("order.flac", 251)
    assert len(set(chosen.tolist())) == 6
    assert chosen.tolist() == choose_voices("order.flac", 251).tolist()
    loud, soft = np.full(100, 0.9), np.resize([0.001, -0.001], 40)
    mixed = babble([loud, soft])
    assert len(mixed) == 100
    assert set(np.round(mixed, 3).tolist()) == {0.0, 2.0}


def test_full_scale_is_clipped_not_wrapped() -> None:
    assert as_int16(np.array([1.5, -1.5, 0.0])).tolist() == [32767, -32768, 0]


def test_the_mix_is_the_published_tools_mix(recordings: Callable[[str], Path], data: Path, tmp_path: Path) -> None:
    tool = data.parent / "tools" / "noisy.py"
    if not tool.is_file():
        pytest.skip(f"no {tool}")
    orders = barista_orders(3)
    files = [str(order.recording.path) for order in orders]
    noise = recordings("noise") / "kitchen.flac"
    subprocess.run([sys.executable, str(tool), str(tmp_path), str(noise), "6", *files], check=True)
    room = Room()
    for order in orders:
        theirs, _ = soundfile.read(tmp_path / f"{order.recording.path.stem}.flac", dtype="int16")
        assert np.array_equal(recorded(order.recording, BY_NAME["kitchen 6 dB"], room).load(), theirs)


def test_clean_is_the_file_itself_and_babble_is_not(recordings: Callable[[str], Path]) -> None:
    recordings("librispeech_notext")
    recording = barista_orders(1)[0].recording
    file = read_int16(recording.path)
    assert np.array_equal(recorded(recording, CLEAN, Room()).load(), file)
    assert not np.array_equal(recorded(recording, BABBLE, Room()).load(), file)
