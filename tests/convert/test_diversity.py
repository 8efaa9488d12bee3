"""A vocoder moves pitch and formants, each by itself, and a way of speaking says which voices speak."""

from __future__ import annotations

import numpy as np
import pytest

from convert.diversity import WAYS, table, vocoded

RATE = 16000
PITCH_HZ, FORMANT_HZ = 120.0, 1500.0


def _vowel() -> np.ndarray:
    """A second of harmonics of 120 Hz around one resonance, with a little noise between them."""
    t = np.arange(RATE) / RATE
    harmonics = PITCH_HZ * np.arange(1, 60)
    loudness = np.exp(-(((harmonics - FORMANT_HZ) / 250) ** 2)) + 0.02
    voice = (loudness[:, None] * np.sin(2 * np.pi * harmonics[:, None] * t)).sum(axis=0)
    sound: np.ndarray = 0.1 * voice + 1e-4 * np.random.default_rng(0).standard_normal(RATE)
    return sound


def _spectrum(pcm: np.ndarray) -> np.ndarray:
    middle = pcm[RATE // 4 : RATE // 4 + RATE // 2] * np.hanning(RATE // 2)
    found: np.ndarray = np.abs(np.fft.rfft(middle))
    return found


def _resonance_hz(pcm: np.ndarray) -> float:
    spectrum = _spectrum(pcm)
    hz = np.arange(len(spectrum)) * 2.0
    around = (hz > 700) & (hz < 3000)
    return float((hz[around] * spectrum[around] ** 2).sum() / (spectrum[around] ** 2).sum())


def _pitch_hz(pcm: np.ndarray) -> float:
    middle = pcm[RATE // 4 : RATE // 4 + RATE // 2]
    same = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    least, most = RATE // 300, RATE // 70
    return RATE / (least + int(np.argmax(same[least:most])))


@pytest.mark.parametrize(("pitch", "formants"), [(1.0, 1.0), (1.25, 1.0), (1.0, 1.15), (0.8, 0.9)])
def test_pitch_and_formants_move_each_by_itself(pitch: float, formants: float) -> None:
    pytest.importorskip("pyworld", reason="the vocoder has no wheel for this machine")
    moved = vocoded(_vowel(), pitch, formants)
    assert abs(len(moved) - RATE) < RATE // 50, "at the same rate"
    assert _pitch_hz(moved) == pytest.approx(PITCH_HZ * pitch, rel=0.03)
    assert _resonance_hz(moved) == pytest.approx(FORMANT_HZ * formants, rel=0.06)


def test_the_table_has_a_row_for_every_way_and_their_sum() -> None:
    found = {way.name: {"clean": i, "kitchen 6 dB": 2 * i} for i, way in enumerate(WAYS)}
    lines = table(found).splitlines()
    assert len(lines) == len(WAYS) + 2
    assert lines[3] == f"| {WAYS[1].name} | 1 | 2 | 3 |"
