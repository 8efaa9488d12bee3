"""Text becomes sound: sentence by sentence, from the cache where it was said before, every voice equally loud.

    text ─► speakable ─► sentences ─┬─ cached ──────────────────────┬─► int16 chunks, mono
                                    └─ voice ─► level ─► to the cache ┘

The voice loads when the first sentence is not in the cache, or earlier in the background (`warm_up`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.errors import PluginError
from assistant.speak.phrases import PhraseCache
from assistant.speak.text import sentences, speakable
from assistant.speak.voice import Voice
from assistant.types import frozen_array

# Active level of every sentence. Engines differ by 12 dB; speech peaks some 15 dB above its active level, so that this
# leaves a few decibels of headroom.
LEVEL_DBFS = -20.0
PEAK = 0.97

# The active level is the RMS over the frames that are at most this far below the loudest one: pauses do not count.
ACTIVE_RANGE_DB = 30.0
LEVEL_FRAME_S = 0.02

# No sentence is amplified by more: what a voice makes of a comma alone is noise.
MAX_GAIN_DB = 20.0

FULL_SCALE = 32_767.0

log = logging.getLogger(__name__)

Samples = NDArray[np.int16]


class Speech:
    """A voice with a cache in front. One thread speaks at a time; others (rendering ahead) wait for their turn.

    folder: where phrases are kept between runs, None for memory only.
    """

    def __init__(self, voice: Voice, *, folder: Path | None = None, level_dbfs: float = LEVEL_DBFS) -> None:
        self._voice = voice
        self._level_dbfs = level_dbfs
        self._cache = PhraseCache(folder, voice=f"{voice.name} at {level_dbfs:g} dBFS", sample_rate=voice.sample_rate)
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._wanted = False  # somebody speaks, or may at any moment: the voice stays in memory
        self._threads: list[threading.Thread] = []

    @property
    def voice(self) -> Voice:
        """The voice that speaks."""
        return self._voice

    @property
    def sample_rate(self) -> int:
        """Of all chunks, Hz."""
        return self._voice.sample_rate

    def stream(self, text: str) -> Iterator[Samples]:
        """Speak `text`: read-only int16 chunks of shape [samples], one a sentence, each as soon as it is ready.

        Nothing for a text that has no sound. Stop early by closing the iterator. Raises PluginError when the voice
        fails; sentences already in the cache never raise.
        """
        for sentence in sentences(speakable(text)):
            samples = self._cache.get(sentence)
            if samples is None:
                self._wanted = True
                samples = self._render(sentence)
            if len(samples):
                yield samples
                self._cache.keep(sentence, samples)

    def say(self, text: str) -> Samples:
        """All of `text` at once, int16, shape [samples]; empty for a text that has no sound."""
        chunks = list(self.stream(text))
        return np.concatenate(chunks) if chunks else np.zeros(0, np.int16)

    def warm_up(self) -> threading.Thread:
        """Load the voice in the background, so that the next new sentence starts at once. Join the thread to wait."""
        self._wanted = True
        return self._in_background(self._voice.load, "voice-load")

    def render_ahead(self, phrases: Iterable[str]) -> threading.Thread:
        """Render those `phrases` that are not kept yet, in the background. Join the thread to wait.

        When all are on disk already the voice is not loaded; one that was loaded only for this is unloaded after it.
        """
        wanted = tuple(phrases)
        return self._in_background(lambda: self._keep_ahead(wanted), "voice-ahead")

    def close(self) -> None:
        """End what is rendered in the background: after the sentence it is in, or once the voice is loaded."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _keep_ahead(self, phrases: tuple[str, ...]) -> None:
        loaded = self._voice.loaded
        try:
            self._render_missing(phrases)
        finally:
            with self._turn:
                if self._voice.loaded and not loaded and not self._wanted:
                    self._voice.unload()

    def _render_missing(self, phrases: tuple[str, ...]) -> None:
        for phrase in phrases:
            if self._closing.is_set():
                return
            for sentence in sentences(speakable(phrase)):
                if self._cache.get(sentence) is None:
                    samples = self._render(sentence)
                    if len(samples):
                        self._cache.keep(sentence, samples, ahead=True)

    def _render(self, sentence: str) -> Samples:
        with self._turn:
            chunks = list(self._voice.stream(sentence))
        if not chunks:
            return np.zeros(0, np.int16)
        return frozen_array(leveled(np.concatenate(chunks), self.sample_rate, self._level_dbfs))

    def _in_background(self, work: Callable[[], None], name: str) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except PluginError as error:  # said again, and raised, when a reply is due
                log.warning("%s", error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread


def active_level_dbfs(samples: Samples, sample_rate: int) -> float:
    """RMS of the spoken parts, decibels below full scale; -inf for silence.

    samples: int16, shape [samples]. A simple relative of ITU-T P.56: frames of 20 ms within 30 dB of the loudest count.
    """
    frame = max(int(sample_rate * LEVEL_FRAME_S), 1)
    count = max(len(samples) // frame, 1)
    scaled = samples[: count * frame].astype(np.float64) / FULL_SCALE
    power = np.array([np.mean(part**2) for part in np.array_split(scaled, count)]) if len(scaled) else np.zeros(1)
    if power.max() == 0.0:
        return float("-inf")
    active = power[power >= power.max() * 10 ** (-ACTIVE_RANGE_DB / 10)]
    return float(10 * np.log10(active.mean()))


def leveled(samples: Samples, sample_rate: int, level_dbfs: float = LEVEL_DBFS) -> Samples:
    """`samples` at an active level of `level_dbfs`, quieter where its peak would clip; silence stays silence."""
    level = active_level_dbfs(samples, sample_rate)
    if level == float("-inf"):
        return samples.copy()
    gain = 10 ** (min(level_dbfs - level, MAX_GAIN_DB) / 20)
    scaled = samples.astype(np.float32) * np.float32(gain)
    peak = float(np.abs(scaled).max()) / FULL_SCALE
    if peak > PEAK:
        scaled *= np.float32(PEAK / peak)
    return np.round(scaled).astype(np.int16)
