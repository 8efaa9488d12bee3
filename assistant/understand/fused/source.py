"""Where the net's sound comes from, and how words are laid on it: one interface for all recognisers.

    audio      frame vectors [T, dim]                 alignment    which frames a token was heard in [n, T]
    states     the recogniser's own encoder states    attention    the decoder's
    log-mel    40 bands of the sound itself           words        times of words, where there is no decoder to ask

The bundle's `FeatureSpec` names both; `source_of` opens them. Where words are all that there is, a token is a few
letters of a word, its vector is its spelling, and its log p the word's confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ModelError
from assistant.types import FRAME_SAMPLES, SAMPLE_RATE_HZ, Hypothesis, Transcript, Utterance, Word
from assistant.understand.fused.projection import ATTENTION, LOG_MEL, WORDS, FeatureSpec

Floats = NDArray[np.float32]

LEVEL_FLOOR_DB = -90.0

BANDS = 40
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
WINDOW_SAMPLES = 512
"""32 ms: a window wider than the step of 24 ms, so that nothing between two frames is lost."""
SLOPE_FRAMES = 2
"""Slopes are over so many frames to either side."""
MEL_DIM = 2 * BANDS
POWER_FLOOR = 1e-8
MARGIN_S = 0.1
"""Kept before and after the voiced stretch where the recogniser does not say what it decoded."""

PIECE_LETTERS = 3
SPELLING_DIM = 128
GRAMS = (1, 2, 3)
LEAST_CONFIDENCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """The sound's side of it.

    states: float32 [frames, dim], what the net hears: encoder states, or bands of log-mel. start_s: where states[0]
    begins in the utterance, seconds.
    voice: float32 [frames], voice activity of each 20 ms of the utterance; level_db: float32, loudness of the same.
    """

    states: Floats
    start_s: float
    voice: Floats
    level_db: Floats


class SoundSource(Protocol):
    """Sound and words of an utterance as the net wants them."""

    def sees(self, transcript: Transcript) -> bool:
        """Whether the recogniser gave what is needed."""
        ...

    def sound(self, utterance: Utterance, transcript: Transcript) -> Sound:
        """The sound's side. Needs `sees`."""
        ...

    def aligned(self, hypotheses: Sequence[Hypothesis], sound: Sound) -> tuple[Hypothesis, ...]:
        """The same hypotheses with tokens, attention over the frames of `sound`, and a vector for each token."""
        ...


def source_of(spec: FeatureSpec) -> SoundSource:
    """The source that a bundle was made with. Raises ModelError for one that this version does not know."""
    if spec.audio == LOG_MEL:
        return WordTimes(spec.state_s) if spec.alignment == WORDS else LogMel(spec.state_s)
    if spec.alignment != ATTENTION:
        raise ModelError(f"aligns {spec.audio} by {spec.alignment}, which nothing here does", where="features")
    return States()


class States:
    """The recogniser's encoder states, read through its decoder's attention."""

    def sees(self, transcript: Transcript) -> bool:
        """States, and attention and vectors of every hypothesis."""
        return transcript.states is not None and _attended(transcript)

    def sound(self, utterance: Utterance, transcript: Transcript) -> Sound:
        """The states of the decoded stretch."""
        assert transcript.states is not None
        return Sound(transcript.states, transcript.decoded_start_s, utterance.voice, level_db(utterance.pcm))

    def aligned(self, hypotheses: Sequence[Hypothesis], sound: Sound) -> tuple[Hypothesis, ...]:
        """As they are: the decoder said where it looked."""
        del sound
        return tuple(hypotheses)


@dataclass(frozen=True, slots=True)
class LogMel:
    """Log-mel of the decoded stretch, read through the decoder's attention. frame_s: between frames, seconds."""

    frame_s: float

    def sees(self, transcript: Transcript) -> bool:
        """Attention says how many frames there are; states are not looked at."""
        return _attended(transcript)

    def sound(self, utterance: Utterance, transcript: Transcript) -> Sound:
        """As many frames as the attention has."""
        attention = transcript.hypotheses[0].attention
        assert attention is not None
        start_s, count = transcript.decoded_start_s, attention.shape[1]
        mel = log_mel(utterance.pcm, start_s, count, self.frame_s)
        return Sound(mel, start_s, utterance.voice, level_db(utterance.pcm))

    def aligned(self, hypotheses: Sequence[Hypothesis], sound: Sound) -> tuple[Hypothesis, ...]:
        """As they are."""
        del sound
        return tuple(hypotheses)


@dataclass(frozen=True, slots=True)
class WordTimes:
    """Log-mel of the voiced stretch, and words where the recogniser says that they are. frame_s: between frames."""

    frame_s: float

    def sees(self, transcript: Transcript) -> bool:
        """Every hypothesis has words with times."""
        return bool(transcript.hypotheses) and all(h.words for h in transcript.hypotheses)

    def sound(self, utterance: Utterance, transcript: Transcript) -> Sound:
        """From just before the first to just after the last voiced instant, and as far as words reach."""
        words = [word for h in transcript.hypotheses for word in h.words]
        start_s = max(min(utterance.speech_start_s, *(word.start_s for word in words)) - MARGIN_S, 0.0)
        end_s = max(utterance.speech_end_s, *(word.end_s for word in words)) + MARGIN_S
        count = max(math.ceil((min(end_s, utterance.duration_s) - start_s) / self.frame_s), 1)
        mel = log_mel(utterance.pcm, start_s, count, self.frame_s)
        return Sound(mel, start_s, utterance.voice, level_db(utterance.pcm))

    def aligned(self, hypotheses: Sequence[Hypothesis], sound: Sound) -> tuple[Hypothesis, ...]:
        """Words in pieces of a few letters; the end is whatever follows the last word."""
        return tuple(self._laid_out(h, sound) if h.words else h for h in hypotheses)

    def _laid_out(self, h: Hypothesis, sound: Sound) -> Hypothesis:
        middle = np.arange(len(sound.states)) + 0.5
        centres_s = np.asarray(sound.start_s + middle * self.frame_s, np.float64)
        found = [piece for owner, word in enumerate(h.words) for piece in _pieces(owner, word)]
        end_s = h.words[-1].end_s
        found.append(_Piece(END_OF_WORDS, "", end_s, max(end_s, centres_s[-1] + self.frame_s), h.score))
        attention = np.stack([_within(centres_s, piece) for piece in found])
        log_p = np.array([piece.log_p for piece in found], np.float32)
        return replace(
            h,
            tokens=np.array([piece.owner for piece in found], np.int32),
            log_p=log_p,
            ilm=np.zeros(len(found), np.float32),
            attention=attention,
            vectors=np.stack([spelling(piece.text) for piece in found]),
        )


END_OF_WORDS = -1
"""The token behind the last word; the others name their word by its number."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some letters of the word `owner`, "^" before the first and "$" after the last, when they were heard, log p."""

    owner: int
    text: str
    start_s: float
    end_s: float
    log_p: float


def _pieces(owner: int, word: Word) -> Iterator[_Piece]:
    """`word` in pieces of equal times."""
    count = max(math.ceil(len(word.text) / PIECE_LETTERS), 1)
    cuts = np.linspace(0, len(word.text), count + 1).round().astype(int)
    step_s = (word.end_s - word.start_s) / count
    log_p = math.log(max(word.confidence, LEAST_CONFIDENCE))
    for i in range(count):
        text = ("^" if i == 0 else "") + word.text[cuts[i] : cuts[i + 1]] + ("$" if i == count - 1 else "")
        begin_s = word.start_s + i * step_s
        yield _Piece(owner, text, begin_s, begin_s + step_s, log_p)


def _within(centres_s: NDArray[np.float64], piece: _Piece) -> Floats:
    """A row of attention: equal over the frames of `piece`, on the nearest one where it has none."""
    row = ((centres_s >= piece.start_s) & (centres_s < piece.end_s)).astype(np.float32)
    if not row.any():
        row[int(np.abs(centres_s - (piece.start_s + piece.end_s) / 2).argmin())] = 1.0
    return np.asarray(row / row.sum(), np.float32)


@cache
def spelling(text: str) -> Floats:
    """A vector for letters, whatever the script: their one to three neighbours, hashed with signs, of length 1."""
    vector = np.zeros(SPELLING_DIM, np.float32)
    for n in GRAMS:
        for i in range(len(text) - n + 1):
            hashed = crc32(text[i : i + n].lower().encode())
            vector[hashed % SPELLING_DIM] += 1.0 if hashed & 0x80000000 else -1.0
    vector /= max(float(np.linalg.norm(vector)), 1.0)
    vector.setflags(write=False)
    return vector


def level_db(pcm: NDArray[np.int16]) -> Floats:
    """Loudness (RMS) of each 20 ms of `pcm`, int16 [samples], in dB of full scale; float32 [frames]."""
    frames = -(-len(pcm) // FRAME_SAMPLES)
    padded = np.zeros(frames * FRAME_SAMPLES, np.float32)
    padded[: len(pcm)] = pcm
    power = np.square(padded.reshape(frames, FRAME_SAMPLES) / np.float32(32768)).mean(axis=1)
    level: Floats = np.maximum(10 * np.log10(power + 1e-12), LEVEL_FLOOR_DB).astype(np.float32)
    return level


def log_mel(pcm: NDArray[np.int16], start_s: float, count: int, frame_s: float) -> Floats:
    """`count` frames from `start_s` on, float32 [count, MEL_DIM]: log energy of bands less each band's mean, slopes.

    The mean over the stretch takes the microphone and the loudness out. Beyond the end of `pcm` there is silence.
    """
    step = round(frame_s * SAMPLE_RATE_HZ)
    first = round(start_s * SAMPLE_RATE_HZ) + (step - WINDOW_SAMPLES) // 2
    padded = np.zeros(count * step + WINDOW_SAMPLES, np.float32)
    begin, end = max(first, 0), min(first + len(padded), len(pcm))
    if end > begin:
        padded[begin - first : end - first] = pcm[begin:end] / np.float32(32768)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[: count * step : step]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(WINDOW_SAMPLES).astype(np.float32), axis=1)) ** 2
    bands = np.log(spectrum @ _filters() + POWER_FLOOR * WINDOW_SAMPLES)
    bands -= bands.mean(axis=0)
    around = np.pad(bands, ((SLOPE_FRAMES, SLOPE_FRAMES), (0, 0)), mode="edge")
    slopes = (around[2 * SLOPE_FRAMES :] - around[: -2 * SLOPE_FRAMES]) / (2 * SLOPE_FRAMES)
    return np.asarray(np.concatenate([bands, slopes], axis=1), np.float32)


@cache
def _filters() -> NDArray[np.float64]:
    """Triangles on the mel scale (O'Shaughnessy 1987: 2595 log10(1 + Hz / 700)); float64 [bins, BANDS]."""
    lowest_mel, highest_mel = (2595 * math.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    edges_mel = np.linspace(lowest_mel, highest_mel, BANDS + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / SAMPLE_RATE_HZ)[:, None]
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(rising, falling), 0.0))


def _attended(transcript: Transcript) -> bool:
    return bool(transcript.hypotheses) and all(
        h.attention is not None and h.vectors is not None for h in transcript.hypotheses
    )
