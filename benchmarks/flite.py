"""CMU Flite's voices as speakers of sentences: other synthesis than the assistant's own voice, so a fairer listener."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.errors import PluginError
from assistant.types import SAMPLE_RATE_HZ
from benchmarks.clips import PADDING_S, Clip
from benchmarks.conditions import Condition, Room
from benchmarks.recordings import read_float

PEAK = 0.5


class FliteSpeaker:
    """Speaks sentences by one of flite's voices ("rms", "slt") and keeps them as files below `folder`.

    Raises PluginError when flite is not installed.
    """

    def __init__(self, voice: str, folder: Path) -> None:
        if shutil.which("flite") is None:
            raise PluginError("not installed", where=f"voice flite {voice}", remedy="apt-get install flite")
        self._voice, self._folder = voice, folder

    def clip(self, text: str, condition: Condition, room: Room) -> Clip:
        """`text` spoken, in the condition's noise."""
        voice = f"flite-{self._voice}"
        name = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.flac"
        path = self._folder / voice / name
        load = partial(room.hear, lambda p: self._spoken(text, p), path, f"{voice}-{name}", condition)
        return Clip(name, f"{voice} {condition.name}", load)

    def _spoken(self, text: str, path: Path) -> NDArray[np.float64]:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            wave = path.with_suffix(".wav")
            subprocess.run(["flite", "-voice", self._voice, "-t", text, "-o", str(wave)], check=True)
            sound, rate = soundfile.read(wave, dtype="float64")
            wave.unlink()
            sound = soxr.resample(sound, rate, SAMPLE_RATE_HZ, "HQ")
            sound *= PEAK / max(float(np.abs(sound).max()), 1e-9)
            soundfile.write(path, np.pad(sound, int(PADDING_S * SAMPLE_RATE_HZ)), SAMPLE_RATE_HZ)
        return read_float(path)
