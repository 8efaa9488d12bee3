"""Sentences spoken by a voice into 16 kHz sound, with noise under them: for the demo and for calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.speak.speech import Speech

SILENCE_BEFORE_S, SILENCE_AFTER_S = 0.5, 1.2
QUIET_SNR_DB = 60.0


def spoken(speech: Speech, text: str, snr_db: float | None = None, seed: int = 0) -> NDArray[np.int16]:
    """`text` in the voice of `speech` with silence around it: int16, shape [samples], 16 kHz.

    snr_db: kitchen-like noise under it; None for a quiet room.
    """
    import numpy as np
    import soxr

    from assistant.audio.noise import kitchen_noise, mix
    from assistant.types import SAMPLE_RATE_HZ

    voice = speech.say(text).astype(np.float32) / np.float32(32768)
    voice = soxr.resample(voice, speech.sample_rate, SAMPLE_RATE_HZ, "HQ")
    before, after = (np.zeros(int(s * SAMPLE_RATE_HZ)) for s in (SILENCE_BEFORE_S, SILENCE_AFTER_S))
    sound = np.concatenate([before, voice, after])
    noise = kitchen_noise(len(sound), np.random.default_rng([seed, len(text)]))
    mixed = mix(sound, noise, QUIET_SNR_DB if snr_db is None else snr_db)
    return np.round(mixed * 32767).astype(np.int16)


def write_wav(path: Path, pcm: NDArray[np.int16]) -> None:
    """Write 16 kHz mono sound."""
    import soundfile

    from assistant.types import SAMPLE_RATE_HZ

    soundfile.write(path, pcm, SAMPLE_RATE_HZ, subtype="PCM_16")
