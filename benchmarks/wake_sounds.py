"""The recordings of the wake-word benchmark: the word in every condition, and what must not wake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.listen.clip import cut_clip
from assistant.listen.vad import VoiceActivity
from assistant.listen.wake import SETTLE_S, TAIL_S
from assistant.types import SAMPLE_RATE_HZ
from benchmarks.mixing import as_int16, mix, mixing_key
from benchmarks.recordings import data_folder, read_float, spread

SNR_DB = 10.0
CONTEXT_S = (1.5, 1.0)
"""Noise before and after a word, as where a microphone is always open."""
CONDITIONS = ("clean", "kitchen 10 dB", "the file alone", "spoken on")
WORD_S = (0.4, 0.9)
"""Recordings whose loud part is longer hold more than the word: where it ends is not known."""
LOUD_DB = 28
QUIET_LEVEL = 2e-4

Pcm = NDArray[np.int16]
Sound = NDArray[np.float64]


def files(pattern: str, limit: int | None) -> list[Path]:
    """The files of a group in alphabetical order."""
    return spread(sorted(path for path in data_folder().glob(pattern) if path.is_file()), limit)


def conditions(word: Sound, name: str, kitchen: Sound, order: Sound) -> dict[str, Pcm]:
    """One person's word: clean; in the noise of an open microphone; as a file cut out of noise; with an order at once.

    The last is made only where the end of the word is known.
    """
    before, after = (np.zeros(round(seconds * SAMPLE_RATE_HZ)) for seconds in CONTEXT_S)
    around = np.concatenate([before, word, after])
    key = mixing_key(name, "kitchen.flac", SNR_DB)
    made = {
        "clean": alone(as_int16(word)),
        "kitchen 10 dB": as_int16(mix(around, kitchen, SNR_DB, key)),
        "the file alone": alone(as_int16(mix(word, kitchen, SNR_DB, key))),
    }
    loud = loud_part(word)
    if holds_the_word_only(loud):
        made["spoken on"] = in_room(np.concatenate([loud, order]), name, SNR_DB, kitchen)
    return made


def holds_the_word_only(loud: Sound) -> bool:
    """Whether a recording's loud part is as long as the word."""
    low, high = WORD_S
    return low <= len(loud) / SAMPLE_RATE_HZ <= high


def alone(pcm: Pcm) -> Pcm:
    """A file as `assistant wake test` hears it: in silence."""
    silences = [np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16) for seconds in (SETTLE_S, TAIL_S)]
    return np.concatenate([silences[0], pcm, silences[1]])


def read_any(file: Path) -> Pcm:
    """A file at 16 kHz, its first channel."""
    sound, rate_hz = soundfile.read(file, always_2d=True)
    mono = sound[:, 0] if rate_hz == SAMPLE_RATE_HZ else soxr.resample(sound[:, 0], rate_hz, SAMPLE_RATE_HZ)
    return as_int16(mono)


def loud_part(sound: Sound) -> Sound:
    """From the first to the last 10 ms within `LOUD_DB` of the loudest, at a root mean square of 1."""
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    level_db = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    smooth = np.convolve(level_db, np.ones(3) / 3, "same")
    loud = np.flatnonzero(smooth > smooth.max() - LOUD_DB)
    return normal(sound[loud[0] * 160 : (loud[-1] + 1) * 160])


def normal(sound: Sound) -> Sound:
    """At a root mean square of 1."""
    scaled: Sound = sound / np.sqrt(np.square(sound).mean())
    return scaled


def spoken_part(path: Path, vad: VoiceActivity) -> Sound:
    """What is said in a recording, at a root mean square of 1. vad: is reset."""
    sound = read_float(path)
    clip = cut_clip(as_int16(sound), vad)
    begin, end = (round(seconds * SAMPLE_RATE_HZ) for seconds in (clip.speech_start_s, clip.speech_end_s))
    return normal(sound[begin:end])


def in_room(sound: Sound, name: str, snr_db: float | None, kitchen: Sound) -> Pcm:
    """`sound` with quiet or noise around it. snr_db: None for a quiet room."""
    before, after = (np.zeros(round(seconds * SAMPLE_RATE_HZ)) for seconds in CONTEXT_S)
    around = np.concatenate([before, sound, after])
    if snr_db is not None:
        return as_int16(mix(around, kitchen, snr_db, mixing_key(name, "kitchen.flac", snr_db)))
    noisy = around / np.abs(around).max() / 2 + np.random.default_rng(0).normal(0, QUIET_LEVEL, len(around))
    return as_int16(noisy)
