from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.earcons import PEAK, RATE_HZ, Earcon, sound


@pytest.mark.parametrize("earcon", [Earcon.WAKE, Earcon.DONE, Earcon.ERROR])
def test_an_earcon_is_short_quiet_and_ends_without_a_click(earcon: Earcon) -> None:
    pcm = sound(earcon)
    assert len(pcm) == round(earcon.duration_s * RATE_HZ)
    assert earcon.duration_s <= 0.3
    assert 0.9 * PEAK <= np.abs(pcm).max() / 32767 <= PEAK
    assert np.abs(pcm[[0, -1]]).max() <= 32767 * PEAK / 100


def test_what_rings_is_louder_and_ends_without_a_click() -> None:
    pcm = sound(Earcon.RING)
    assert 2 * PEAK < np.abs(pcm).max() / 32767 < 0.5
    assert np.abs(pcm[[0, -1]]).max() <= 32767 * PEAK / 100


def test_wake_rises_and_error_falls() -> None:
    def pitch_hz(pcm: NDArray[np.int16]) -> float:
        spectrum = np.abs(np.fft.rfft(pcm.astype(float) * np.hanning(len(pcm))))
        return float(spectrum.argmax() * RATE_HZ / len(pcm))

    for earcon, sign in ((Earcon.WAKE, 1), (Earcon.ERROR, -1)):
        pcm = sound(earcon)
        begin = round(earcon.notes[1].start_s * RATE_HZ)
        assert sign * (pitch_hz(pcm[begin:]) - pitch_hz(pcm[:begin])) > 50
