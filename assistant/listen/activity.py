"""From probabilities of speech to stretches of speech: hysteresis, bridged dips and a least length, as a pure function.

Measured on AN4, speechocean762 and LibriSpeech recordings in kitchen noise: isolated blips are what noise makes of
silero, and a word never is one; `python -m benchmarks.vad` repeats it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ConfigError
from assistant.types import FRAME_MS

FRAME_S = FRAME_MS / 1000


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """When probabilities are speech.

    voiced: a frame of at least this probability is voiced; trim points are the first and last voiced frame.
    sure: a run of voiced frames is speech only if one of them has at least this probability.
    min_speech_s: and only once it has so many voiced frames, seconds.
    bridge_s: unvoiced frames that do not end a run, if there are not more of them in a row, seconds.
    island_gap_s: voiced frames further apart do not belong together, seconds.
    Raises ConfigError when the values contradict each other.
    """

    voiced: float = 0.5
    sure: float = 0.9
    min_speech_s: float = 0.16
    bridge_s: float = 0.06
    island_gap_s: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.voiced <= self.sure <= 1.0:
            raise ConfigError(
                f"probabilities voiced {self.voiced:g} and sure {self.sure:g} do not fit",
                where="listen.activity",
                remedy="choose 0 < voiced <= sure <= 1",
            )
        if min(self.bridge_s, self.min_speech_s, self.island_gap_s) < 0:
            raise ConfigError("a negative length", where="listen.activity", remedy="give lengths of 0 s or more")


class Voicing(enum.Enum):
    """What a frame is."""

    UNVOICED = "unvoiced"
    UNDECIDED = "undecided"
    """Inside a run that is not yet long enough to be speech."""
    VOICED = "voiced"


@dataclass(frozen=True, slots=True)
class Run:
    """Where `judge` stands after a frame. Frames are numbered from the first one judged.

    frame: number of that frame, -1 before the first.
    voicing: what that frame is.
    first, last: first and last voiced frame of the run under way or, if none is, of the previous one.
    voiced: voiced frames of the run; 0 when no run is under way.
    peak: highest probability in the run.
    """

    frame: int = -1
    voicing: Voicing = Voicing.UNVOICED
    first: int = 0
    last: int = -1
    voiced: int = 0
    peak: float = 0.0


def judge(run: Run, probability: float, settings: ActivitySettings) -> Run:
    """Return where things stand after one more frame."""
    frame = run.frame + 1
    if probability >= settings.voiced:
        voiced = run.voiced + 1
        peak = max(run.peak, probability)
        voicing = _voicing(voiced, peak, settings)
        return Run(frame, voicing, run.first if run.voiced else frame, frame, voiced, peak)
    if not run.voiced or frame - run.last > frames(settings.bridge_s):
        return Run(frame, Voicing.UNVOICED, run.first, run.last)
    undecided = _voicing(run.voiced, run.peak, settings) is Voicing.UNDECIDED
    voicing = Voicing.UNDECIDED if undecided else Voicing.UNVOICED
    return replace(run, frame=frame, voicing=voicing)


def speech_extent(voice: NDArray[np.float32], settings: ActivitySettings) -> tuple[float, float]:
    """First and last voiced instant of a whole recording, seconds; (0, 0) when nobody speaks.

    voice: float32, shape [frames], probability of speech per 20 ms frame.

    Blips far from other speech are left out, unless there is nothing else.
    """
    found = islands(voice, settings)
    if not found:
        return 0.0, 0.0
    speech = [island for island in found if len(island) >= frames(settings.min_speech_s)]
    if not speech:
        speech = [max(found, key=lambda island: float(voice[island].sum()))]
    return float(speech[0][0] * FRAME_S), float((speech[-1][-1] + 1) * FRAME_S)


def islands(voice: NDArray[np.floating], settings: ActivitySettings) -> list[NDArray[np.intp]]:
    """Numbers of the voiced frames, in groups that belong together."""
    voiced = np.flatnonzero(voice >= settings.voiced)
    if not len(voiced):
        return []
    return np.split(voiced, np.flatnonzero(np.diff(voiced) > frames(settings.island_gap_s)) + 1)


def frames(duration_s: float) -> int:
    """Whole frames nearest to a length in seconds."""
    return round(duration_s / FRAME_S)


def _voicing(voiced: int, peak: float, settings: ActivitySettings) -> Voicing:
    """Of a voiced frame, given its run. A long run that is never sure must not hold an utterance open: no speech."""
    if voiced < frames(settings.min_speech_s):
        return Voicing.UNDECIDED
    return Voicing.VOICED if peak >= settings.sure else Voicing.UNVOICED
