"""Noise for demonstrations and calibration: made up, reproducible, mixed as the public benchmark mixes its noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assistant.types import SAMPLE_RATE_HZ

LOUD_FRAME_SAMPLES = 2048
CLINKS_PER_S = 1.3


def kitchen_noise(samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Something like a kitchen: a fan's pink rumble, clinks that ring at some kilohertz; float64, shape [samples]."""
    bins = samples // 2 + 1
    spectrum = rng.standard_normal(bins) + 1j * rng.standard_normal(bins)
    spectrum /= np.sqrt(np.maximum(np.arange(bins), 20))
    noise = np.fft.irfft(spectrum, samples)
    noise /= noise.std()
    for at in rng.integers(0, samples, max(int(CLINKS_PER_S * samples / SAMPLE_RATE_HZ), 1)):
        length = min(SAMPLE_RATE_HZ // 4, samples - at)
        t = np.arange(length) / SAMPLE_RATE_HZ
        ring = np.exp(-t * rng.uniform(15, 60)) * np.sin(2 * np.pi * rng.uniform(1500, 5000) * t)
        noise[at : at + length] += rng.uniform(1, 4) * ring
    return np.asarray(noise, dtype=np.float64)


def mix(speech: NDArray[np.float64], noise: NDArray[np.float64], snr_db: float) -> NDArray[np.float64]:
    """speech + noise with `snr_db` between their loudest 2048-sample frames, scaled to a peak of 0.5; same lengths."""
    gain = np.sqrt(_loudest(speech) / (_loudest(noise) * 10 ** (snr_db / 10)))
    mixed = speech + gain * noise
    return np.asarray(mixed / (2 * np.abs(mixed).max()), dtype=np.float64)


def _loudest(sound: NDArray[np.float64]) -> float:
    """Energy of the loudest frame."""
    frames = len(sound) // LOUD_FRAME_SAMPLES
    if not frames:
        return float((sound**2).sum())
    return float((sound[: frames * LOUD_FRAME_SAMPLES].reshape(frames, -1) ** 2).sum(axis=1).max())
