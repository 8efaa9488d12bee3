"""Earcons: short sounds that say "go on", "done", "that failed" and "time is up", made of sines; no files.

They are quiet and short, and none is a beep of one pitch: a microphone beside the loudspeaker hears them too, and a
steady tone is what voice activity takes for a voice most easily.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.types import frozen_array

RATE_HZ = 48_000
PEAK = 0.12
"""Of full scale: well below speech."""
ATTACK_S = 0.008
OVERTONE = 0.25
"""Amplitude of the octave above, which gives the tone a little body on small loudspeakers."""


@dataclass(frozen=True, slots=True)
class Note:
    """A tone that rings out. start_s: when it begins. decay_s: time in which it falls to a tenth."""

    pitch_hz: float
    start_s: float
    decay_s: float


class Earcon(enum.Enum):
    """What is said by a sound."""

    WAKE = "wake"
    """Rising: I listen."""
    DONE = "done"
    """One tap: done."""
    ERROR = "error"
    """Falling: that did not work."""
    RING = "ring"
    """Two pairs of rising tones: a timer is over. It is repeated, and louder than the others."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """Its notes."""
        return _NOTES[self]

    @property
    def duration_s(self) -> float:
        """Its length."""
        return _DURATION_S[self]


_NOTES = {
    Earcon.WAKE: (Note(660.0, 0.0, 0.07), Note(990.0, 0.06, 0.08)),
    Earcon.DONE: (Note(880.0, 0.0, 0.1),),
    Earcon.ERROR: (Note(440.0, 0.0, 0.08), Note(330.0, 0.1, 0.12)),
    Earcon.RING: tuple(Note(p, s, 0.14) for s in (0.0, 0.45) for p, s in ((784.0, s), (1047.0, s + 0.14))),
}
_DURATION_S = {Earcon.WAKE: 0.16, Earcon.DONE: 0.12, Earcon.ERROR: 0.26, Earcon.RING: 0.9}
_PEAK = {Earcon.RING: 0.3}


def sound(earcon: Earcon) -> NDArray[np.int16]:
    """The sound, int16, shape [samples] at `RATE_HZ`, read-only; begins and ends in silence."""
    time_s = np.arange(round(earcon.duration_s * RATE_HZ)) / RATE_HZ
    wave = np.sum([_ring(note, time_s) for note in earcon.notes], axis=0)
    fade = np.minimum(1.0, (earcon.duration_s - time_s) / ATTACK_S)
    wave *= _PEAK.get(earcon, PEAK) * fade / np.abs(wave).max()
    return frozen_array(np.rint(wave * 32767).astype(np.int16))


def _ring(note: Note, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    since = np.maximum(time_s - note.start_s, 0.0)
    phase = 2 * np.pi * note.pitch_hz * since
    envelope = np.minimum(since / ATTACK_S, 1.0) * 10 ** (-since / note.decay_s)
    wave: NDArray[np.float64] = envelope * (np.sin(phase) + OVERTONE * np.sin(2 * phase))
    return wave
