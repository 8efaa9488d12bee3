"""The acoustic conditions of the benchmark: clean, kitchen noise at nine ratios, babble of six voices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.mixing import as_int16, babble, choose_voices, mix, mixing_key
from benchmarks.recordings import BABBLE_SET, KITCHEN, data_folder, read_float, recordings_of


@dataclass(frozen=True, slots=True)
class Condition:
    """noise: "", "kitchen" or "babble". snr_db: None when clean."""

    noise: str
    snr_db: float | None

    @property
    def name(self) -> str:
        """As tables show it and files are called: "clean", "kitchen 6 dB"."""
        return f"{self.noise} {self.snr_db:g} dB" if self.snr_db is not None else "clean"


CLEAN = Condition("", None)
KITCHEN_LEVELS = tuple(Condition("kitchen", snr_db) for snr_db in (0, 3, 6, 9, 12, 15, 18, 21, 24))
BABBLE = Condition("babble", 6)
ALL = (CLEAN, *reversed(KITCHEN_LEVELS), BABBLE)
PUBLISHED_LEVELS = tuple(c for c in KITCHEN_LEVELS if (c.snr_db or 0) >= 6)
"""The seven levels for which other engines' figures are published: 6 to 24 dB."""
BY_NAME: Mapping[str, Condition] = MappingProxyType({condition.name: condition for condition in ALL})


class Room:
    """Where sound is played: adds the condition's noise. Reads each noise once."""

    def hear(
        self, read: Callable[[Path], NDArray[np.float64]], path: Path, name: str, condition: Condition
    ) -> NDArray[np.int16]:
        """`read(path)`, speech in ±1, as it sounds under `condition`: int16 [samples]. `name` fixes the noise."""
        speech = read(path)
        return as_int16(speech if condition.snr_db is None else self._mixed(speech, name, condition))

    def _mixed(self, speech: NDArray[np.float64], name: str, condition: Condition) -> NDArray[np.float64]:
        assert condition.snr_db is not None
        if condition.noise == "kitchen":
            key = mixing_key(name, Path(KITCHEN).name, condition.snr_db)
            return mix(speech, self._kitchen, condition.snr_db, key)
        voices = [read_float(self._voices[i]) for i in choose_voices(name, len(self._voices))]
        return mix(speech, babble(voices), condition.snr_db, mixing_key(name, "babble", condition.snr_db))

    @cached_property
    def _kitchen(self) -> NDArray[np.float64]:
        return read_float(data_folder("noise").parent / KITCHEN)

    @cached_property
    def _voices(self) -> list[Path]:
        return [recording.path for recording in recordings_of(BABBLE_SET)]
