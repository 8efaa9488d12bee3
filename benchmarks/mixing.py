"""Speech in noise at a given signal-to-noise ratio, the same samples on every machine.

The rule is that of the public speech-to-intent benchmark (Picovoice, github.com/Picovoice/speech-to-intent-benchmark):
the loudest 2048-sample frame of the speech over the loudest frame of the noise excerpt makes the ratio, and the sum is
scaled to a peak of 0.5. The excerpt's start is drawn from a generator seeded with file, noise and ratio.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRAME_SAMPLES = 2048
BABBLE_VOICES = 6
INT16_FULL_SCALE = 32768


def loudest_frame_energy(pcm: NDArray[np.float64]) -> float:
    """Largest sum of squares over whole 2048-sample frames of `pcm`, shape [samples]; over all where it is shorter."""
    frames = len(pcm) // FRAME_SAMPLES
    if not frames:
        return float((pcm**2).sum())
    return float((pcm[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES) ** 2).sum(axis=1).max())


def mixing_key(file_name: str, noise_name: str, snr_db: float) -> str:
    """What fixes the excerpt: file name with its suffix, noise name, ratio."""
    return f"{file_name}|{noise_name}|{float(snr_db):g}"


def mix(speech: NDArray[np.float64], noise: NDArray[np.float64], snr_db: float, key: str) -> NDArray[np.float64]:
    """`speech` plus the excerpt of `noise` that `key` fixes, at `snr_db`; peak 0.5, as long as `speech`."""
    if len(noise) <= len(speech):
        noise = np.tile(noise, len(speech) // len(noise) + 2)
    start = generator(key).integers(0, len(noise) - len(speech))
    excerpt = noise[start : start + len(speech)]
    gain = np.sqrt(loudest_frame_energy(speech) / (loudest_frame_energy(excerpt) * 10 ** (snr_db / 10)))
    noisy = speech + gain * excerpt
    scaled: NDArray[np.float64] = noisy / (2 * np.abs(noisy).max())
    return scaled


def choose_voices(file_name: str, count: int) -> NDArray[np.int64]:
    """Which `BABBLE_VOICES` of `count` recordings babble behind `file_name`."""
    return generator(f"{file_name}|babble").choice(count, BABBLE_VOICES, replace=False)


def babble(voices: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The sum of `voices` at equal root mean square; shorter ones are repeated to the length of the longest."""
    samples = max(len(voice) for voice in voices)
    total = np.zeros(samples)
    for voice in voices:
        total += np.resize(voice, samples) / np.sqrt(np.mean(voice**2) + 1e-12)
    return total


def as_int16(pcm: NDArray[np.float64]) -> NDArray[np.int16]:
    """Sound in ±1 as libsndfile writes it into a 16-bit file."""
    return np.clip(np.rint(pcm * INT16_FULL_SCALE), -32768, 32767).astype(np.int16)


def generator(key: str) -> np.random.Generator:
    """A generator that any text seeds, the same everywhere."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))
