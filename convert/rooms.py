"""Where training speech is heard: reverberation, a device's frequency response, gain, and noise at a drawn ratio.

Everything is drawn from one generator per utterance, so that the same seed makes the same samples. Noise classes are
split: some classes of ESC-10 and some babbling readers are only heard in
validation. Kitchen noise never trains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve, lfilter

from assistant.errors import InputError
from assistant.types import SAMPLE_RATE_HZ
from convert.files import write_arrays
from convert.sources import Reading, noise_files

Floats = NDArray[np.float64]

SNR_DB = (-5.0, 25.0)
CLEAN_SHARE = 0.12
"""So many utterances get no noise but a faint hiss."""
ROOM_SHARE = 0.5
BANK_ROOMS = 48
BANK_SEED = 20_06
ROOM_SIZE_M = ((2.5, 2.5, 2.3), (8.0, 6.0, 3.2))
RT60_S = (0.15, 0.6)
PEAK_DB = (-26.0, -1.0)
"""Level of the loudest sample of the whole, so that the net does not rely on loudness."""
FRAME_SAMPLES = 2048
KINDS = ("event", "coloured", "babble")
KIND_SHARES = (0.35, 0.3, 0.35)
BABBLE_VOICES = (2, 8)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was drawn for one utterance, for reports. snr_db: None where clean; rt60_s: 0 where dry."""

    noise: str
    snr_db: float | None
    rt60_s: float


class Rooms:
    """A bank of measured rooms and all noises. folder: where the bank is kept; readings: who babbles."""

    def __init__(self, data: Path, folder: Path, readings: Sequence[Reading]) -> None:
        self._bank = room_bank(folder)
        self._events = {split: noise_files(data, split) for split in ("train", "valid")}
        self._voices = {split: [r.path for r in readings if r.split == split] for split in ("train", "valid")}
        self._heard: dict[Path, Floats] = {}

    def hear(self, speech: Floats, rng: np.random.Generator, split: str) -> tuple[NDArray[np.int16], Conditions]:
        """`speech`, ±1 at 16 kHz, as a device in some room hears it: int16, and what was drawn."""
        rt60_s = 0.0
        if rng.random() < ROOM_SHARE:
            rt60_s, response = self._bank[int(rng.integers(len(self._bank)))]
            speech = fftconvolve(speech, response)[: len(speech) + SAMPLE_RATE_HZ // 10]
        kind, snr_db = "clean", None
        heard = speech
        if rng.random() >= CLEAN_SHARE:
            kind = str(rng.choice(KINDS, p=KIND_SHARES))
            snr_db = float(rng.uniform(*SNR_DB))
            heard = speech + at_ratio(speech, self._noise(kind, len(speech), rng, split), snr_db)
        heard = _device(heard + 1e-4 * rng.standard_normal(len(heard)), rng)
        heard = heard / max(float(np.abs(heard).max()), 1e-9) * 10 ** (float(rng.uniform(*PEAK_DB)) / 20)
        return np.clip(np.rint(heard * 32768), -32768, 32767).astype(np.int16), Conditions(kind, snr_db, rt60_s)

    def _noise(self, kind: str, samples: int, rng: np.random.Generator, split: str) -> Floats:
        if kind == "coloured":
            return coloured(samples, rng)
        if kind == "event":
            return self._excerpt(self._events[split], samples, rng)
        count = int(rng.integers(BABBLE_VOICES[0], BABBLE_VOICES[1] + 1))
        total = np.zeros(samples)
        for _ in range(count):
            voice = self._excerpt(self._voices[split], samples, rng)
            total += voice / np.sqrt(np.mean(voice**2) + 1e-12)
        return total

    def _excerpt(self, files: Sequence[Path], samples: int, rng: np.random.Generator) -> Floats:
        """A stretch of one of `files`, longer ones made by repeating it."""
        path = files[int(rng.integers(len(files)))]
        if path not in self._heard:
            self._heard[path] = read(path)
        sound = self._heard[path]
        start = int(rng.integers(len(sound)))
        return np.resize(np.roll(sound, -start), samples)


def read(path: Path) -> Floats:
    """A sound file as one channel at 16 kHz in ±1. Raises InputError."""
    try:
        pcm, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"cannot be read as sound ({error})", where=str(path)) from error
    mono = pcm.mean(axis=1)
    return np.asarray(soxr.resample(mono, rate, SAMPLE_RATE_HZ, "HQ") if rate != SAMPLE_RATE_HZ else mono, np.float64)


def at_ratio(speech: Floats, noise: Floats, snr_db: float) -> Floats:
    """`noise` scaled so that the loudest 2048-sample frames of both stand at `snr_db` (the public benchmark's rule)."""
    gain = math.sqrt(_loudest(speech) / max(_loudest(noise) * 10 ** (snr_db / 10), 1e-12))
    return gain * noise


def coloured(samples: int, rng: np.random.Generator) -> Floats:
    """Noise with a spectrum of f^-slope/2, slope 0 (white) to 2 (brown), sometimes hum or swelling."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    noise = np.fft.irfft(spectrum / np.maximum(hz, 30.0) ** float(rng.uniform(0, 1)), samples)
    noise /= np.sqrt(np.mean(noise**2) + 1e-12)
    seconds = np.arange(samples) / SAMPLE_RATE_HZ
    if rng.random() < 0.3:
        base = float(rng.choice([50.0, 60.0, 100.0, 120.0]) * rng.uniform(0.98, 1.02))
        for harmonic in range(1, 6):
            phase = float(rng.uniform(0, 2 * np.pi))
            noise += float(rng.uniform(0, 1)) / harmonic * np.sin(2 * np.pi * base * harmonic * seconds + phase)
    if rng.random() < 0.4:
        rate_hz, depth = float(rng.uniform(0.2, 4)), float(rng.uniform(0.2, 0.9))
        noise *= 1 + depth * np.sin(2 * np.pi * rate_hz * seconds + float(rng.uniform(0, 2 * np.pi)))
    return noise


def room_bank(folder: Path) -> list[tuple[float, Floats]]:
    """Reverberation time and impulse response of many small rooms (image source method), kept in `folder`."""
    file = folder / f"rooms-{BANK_ROOMS}-{BANK_SEED}.npz"
    if not file.is_file():
        rng = np.random.default_rng(BANK_SEED)
        rooms = [_room(rng) for _ in range(BANK_ROOMS)]
        responses = {f"room{i}": response for i, (_, response) in enumerate(rooms)}
        write_arrays(file, {"rt60": np.array([rt60_s for rt60_s, _ in rooms]), **responses})
    with np.load(file) as kept:
        return [(float(rt60_s), kept[f"room{i}"].astype(np.float64)) for i, rt60_s in enumerate(kept["rt60"])]


def _room(rng: np.random.Generator) -> tuple[float, NDArray[np.float32]]:
    """A shoebox with a talker and a device in it; the direct path is moved to the beginning and has unit gain."""
    import pyroomacoustics

    while True:
        size = [float(rng.uniform(low, high)) for low, high in zip(*ROOM_SIZE_M, strict=True)]
        rt60_s = float(rng.uniform(*RT60_S))
        try:
            absorption, order = pyroomacoustics.inverse_sabine(rt60_s, size)
        except ValueError:  # too large a room for so short a time
            continue
        room = pyroomacoustics.ShoeBox(
            size, fs=SAMPLE_RATE_HZ, materials=pyroomacoustics.Material(absorption), max_order=min(order, 18)
        )
        talker, device = ([float(rng.uniform(0.4, s - 0.4)) for s in size[:2]] for _ in range(2))
        room.add_source([*talker, float(rng.uniform(1.1, 1.8))])
        room.add_microphone([*device, float(rng.uniform(0.7, 1.3))])
        room.compute_rir()
        response = np.asarray(room.rir[0][0])
        first = int(np.abs(response).argmax())
        response = response[max(first - 16, 0) : first + int(rt60_s * SAMPLE_RATE_HZ)]
        return rt60_s, (response / np.abs(response).max()).astype(np.float32)


def _device(pcm: Floats, rng: np.random.Generator) -> Floats:
    """A microphone's response: a high-pass and a tilt, each mild."""
    corner = float(rng.uniform(0.9, 0.995))
    high_passed = lfilter([1, -1], [1, -corner], pcm)
    tilt = float(rng.uniform(-0.25, 0.25))
    return np.asarray(lfilter([1, tilt], [1], high_passed), np.float64)


def _loudest(pcm: Floats) -> float:
    frames = len(pcm) // FRAME_SAMPLES
    if not frames:
        return float((pcm**2).sum())
    return float((pcm[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES) ** 2).sum(axis=1).max())
