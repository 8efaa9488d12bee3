"""Utterances to be heard, made when they are needed: recordings in noise, cut orders, orders talked into, spoken text.

Each has a name, by which halves are drawn, and a kind, which says how it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from assistant.listen.clip import cut_clip
from assistant.listen.vad import VoiceActivity
from assistant.speak.speech import Speech
from assistant.speak.voice import choose_voice
from assistant.types import SAMPLE_RATE_HZ
from benchmarks.conditions import Condition, Room
from benchmarks.mixing import as_int16, generator
from benchmarks.recordings import Recording, read_float

TAIL_S = 1.5
TAIL_SKIP_S = 0.5
"""Where the foreign speech behind an order is taken from: read clips begin with some silence."""
TAIL_GAP_S = 0.1
PADDING_S = 0.4
"""Silence around a sentence that a voice speaks."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance. name: file name. kind: set and condition, part of what it is kept under. load: its int16 sound."""

    name: str
    kind: str
    load: Callable[[], NDArray[np.int16]] = field(compare=False)


def recorded(recording: Recording, condition: Condition, room: Room) -> Clip:
    """A recording as it is, in the condition's noise."""
    kind = f"{recording.origin} {condition.name}"
    return Clip(recording.name, kind, partial(room.hear, read_float, recording.path, recording.name, condition))


def halved(recording: Recording, condition: Condition, room: Room, vad: VoiceActivity) -> Clip:
    """The first half of what is said in `recording`, cut off hard."""

    def sound(path: Path) -> NDArray[np.float64]:
        pcm = read_float(path)
        spoken = cut_clip(as_int16(pcm), vad)
        middle_s = (spoken.speech_start_s + spoken.speech_end_s) / 2
        return pcm[: int(middle_s * SAMPLE_RATE_HZ)]

    load = partial(room.hear, sound, recording.path, recording.name, condition)
    return Clip(recording.name, f"{recording.origin} cut in half, {condition.name}", load)


def talked_into(
    recording: Recording,
    condition: Condition,
    room: Room,
    vad: VoiceActivity,
    others: Sequence[Recording],
    draw: int = 0,
) -> Clip:
    """`recording`, and right after its last word 1.5 s of somebody else, as loud: the `draw`th drawn from `others`."""
    key = f"{recording.name}|tail" + (f"|{draw}" if draw else "")

    def sound(path: Path) -> NDArray[np.float64]:
        pcm = read_float(path)
        spoken = cut_clip(as_int16(pcm), vad)
        start, end = (int(s * SAMPLE_RATE_HZ) for s in (spoken.speech_start_s, spoken.speech_end_s + TAIL_GAP_S))
        other = others[int(generator(key).integers(len(others)))]
        tail = read_float(other.path)[int(TAIL_SKIP_S * SAMPLE_RATE_HZ) :][: int(TAIL_S * SAMPLE_RATE_HZ)]
        gain = np.sqrt(np.mean(pcm[start:end] ** 2) / (np.mean(tail**2) + 1e-12))
        return np.concatenate([pcm[:end], np.clip(gain * tail, -1, 1)])

    load = partial(room.hear, sound, recording.path, recording.name, condition)
    again = f", draw {draw}" if draw else ""
    return Clip(recording.name, f"{recording.origin} talked into, {condition.name}{again}", load)


class Speaker:
    """Speaks sentences by a text-to-speech voice and keeps them as files below `folder`. Raises PluginError."""

    def __init__(self, voice: str, folder: Path) -> None:
        self._voice, self._folder = voice, folder
        self._speech: Speech | None = None

    def clip(self, text: str, condition: Condition, room: Room) -> Clip:
        """`text` spoken, in the condition's noise."""
        name = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.flac"
        path = self._folder / self._voice / name
        load = partial(room.hear, lambda p: self._spoken(text, p), path, f"{self._voice}-{name}", condition)
        return Clip(name, f"{self._voice} {condition.name}", load)

    def _spoken(self, text: str, path: Path) -> NDArray[np.float64]:
        if not path.is_file():
            if self._speech is None:
                self._speech = Speech(choose_voice(self._voice), folder=self._folder / "phrases")
            speech = self._speech
            sound = soxr.resample(speech.say(text).astype(np.float64) / 32768, speech.sample_rate, SAMPLE_RATE_HZ, "HQ")
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.pad(sound, int(PADDING_S * SAMPLE_RATE_HZ)), SAMPLE_RATE_HZ)
        return read_float(path)
