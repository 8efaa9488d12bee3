"""From probabilities of speech to stretches of speech: hysteresis, bridged dips and a least length, as a pure function.

Measured on AN4, speechocean762 and LibriSpeech recordings in kitchen noise: isolated blips are what noise makes of
silero, and a word never is one; `python -m benchmarks.vad` repeats it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ConfigError
from assistant.types import FRAME_MS

FRAME_S = FRAME_MS / 1000


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """When probabilities are speech.

    start: a run of speech begins at a frame of at least this probability; trim points are such frames too.
    stop: it goes on while frames have at least this probability.
    bridge_s: a dip below `stop` that is not longer does not end a run.
    min_speech_s: a run counts as speech once it has so much at `stop` or above, seconds.
    island_s, island_gap_s: in a whole recording, speech shorter than island_s and further than island_gap_s from
        other speech is noise, seconds.
    Raises ConfigError when the values contradict each other.
    """

    start: float = 0.5
    stop: float = 0.35
    bridge_s: float = 0.06
    min_speech_s: float = 0.1
    island_s: float = 0.16
    island_gap_s: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.stop <= self.start <= 1.0:
            raise ConfigError(
                f"thresholds start {self.start:g} and stop {self.stop:g} do not fit",
                where="listen.activity",
                remedy="choose 0 < stop <= start <= 1",
            )
        if min(self.bridge_s, self.min_speech_s, self.island_s, self.island_gap_s) < 0:
            raise ConfigError("a negative length", where="listen.activity", remedy="give lengths of 0 s or more")


class Voicing(enum.Enum):
    """What a frame is."""

    UNVOICED = "unvoiced"
    UNDECIDED = "undecided"
    """Inside a run that is not yet long enough to be speech."""
    VOICED = "voiced"


@dataclass(frozen=True, slots=True)
class Run:
    """Where `judge` stands after a frame. Frame numbers count from the first frame judged.

    frame: number of that frame, -1 before the first.
    voicing: what that frame is.
    first, last: first and last frame at `start` or above of the run under way or, if none is, of the previous one.
    counted: frames of the run at `stop` or above; 0 when no run is under way.
    dip: frames since the last of these.
    """

    frame: int = -1
    voicing: Voicing = Voicing.UNVOICED
    first: int = 0
    last: int = -1
    counted: int = 0
    dip: int = 0


def judge(run: Run, probability: float, settings: ActivitySettings) -> Run:
    """Return where things stand after one more frame."""
    frame = run.frame + 1
    if not run.counted:
        if probability < settings.start:
            return Run(frame, Voicing.UNVOICED, run.first, run.last)
        return Run(frame, _voicing(1, settings), frame, frame, 1)
    last = frame if probability >= settings.start else run.last
    if probability >= settings.stop:
        counted = run.counted + 1
        return Run(frame, _voicing(counted, settings), run.first, last, counted)
    if run.dip + 1 > frames(settings.bridge_s):
        return Run(frame, Voicing.UNVOICED, run.first, run.last)
    confirmed = _voicing(run.counted, settings) is Voicing.VOICED
    voicing = Voicing.UNVOICED if confirmed else Voicing.UNDECIDED
    return Run(frame, voicing, run.first, last, run.counted, run.dip + 1)


def speech_extent(voice: NDArray[np.float32], settings: ActivitySettings) -> tuple[float, float]:
    """First and last voiced instant of a whole recording, seconds; (0, 0) when nobody speaks.

    voice: float32, shape [frames], probability of speech per 20 ms frame.

    Blips far from other speech are left out, unless there is nothing else.
    """
    voiced = np.flatnonzero(voice >= settings.start)
    if not len(voiced):
        return 0.0, 0.0
    islands = np.split(voiced, np.flatnonzero(np.diff(voiced) > frames(settings.island_gap_s)) + 1)
    speech = [island for island in islands if len(island) >= frames(settings.island_s)]
    if not speech:
        speech = [max(islands, key=lambda island: float(voice[island].sum()))]
    return float(speech[0][0] * FRAME_S), float((speech[-1][-1] + 1) * FRAME_S)


def frames(duration_s: float) -> int:
    """Whole frames nearest to a length in seconds."""
    return round(duration_s / FRAME_S)


def _voicing(counted: int, settings: ActivitySettings) -> Voicing:
    return Voicing.VOICED if counted >= frames(settings.min_speech_s) else Voicing.UNDECIDED
