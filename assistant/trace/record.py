"""A decision as it is written down: all that `decide` saw, what it said, what came of it and where the time went.

    Record ── encode ─► bytes ── decode ─► Record

`assistant.trace.writing` makes one of a decision.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from assistant.errors import StorageError
from assistant.types import Fusion, Gate

FORMAT = 4
"""Raised with every change of these structs; a record of a higher format is not read."""

LEVEL_FLOOR_DB = -127.5
LEVEL_STEP_DB = 0.5


class HypothesisRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A hypothesis (assistant.types.Hypothesis), its attention reduced to one instant a token.

    log_p, ilm: float32, nats a token. words: text, start and end in seconds, confidence.
    centres_s: where each token was heard, seconds from the beginning of the utterance; empty without attention.
    right, whole, decoded, sound, faintest: what the nets said of it (assistant.types.Agreement), None where none did.
    spelt: which of the tokens are free words.
    """

    intent: str
    slots: dict[str, Any]
    text: str
    score: float
    rerank: float
    prior: float
    tokens: tuple[int, ...]
    log_p: tuple[float, ...]
    ilm: tuple[float, ...]
    centres_s: tuple[float, ...]
    words: tuple[tuple[str, float, float, float], ...]
    terminal: bool
    response: str
    right: float | None = None
    whole: float | None = None
    decoded: float | None = None
    sound: float | None = None
    faintest: float | None = None
    spelt: tuple[int, ...] = ()


class UtteranceRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An utterance (assistant.types.Utterance) without its sound.

    voice: voice activity, one byte a 20 ms frame, probability times 255.
    level: loudness, one byte a 20 ms frame, half decibels above -127.5 dB of full scale (RMS).
    """

    duration_s: float
    speech_start_s: float
    speech_end_s: float
    end: str
    voice: bytes
    level: bytes


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `decide` judged by: the calibration in full (none of its numbers depends on this program's defaults).

    accept: as in calibration.json. ask_margin: nats. ask_below, refuse_below: confidence. confusable: pairs of phrases.
    harmless: intents that neither holds for.
    free: slots that take free words.
    fusion: how the fused net's answers counted, None where none looked.
    gate: how an answer from sound alone counted, None where it was decoded.
    """

    accept: dict[str, float]
    ask_margin: float
    confusable: tuple[tuple[str, str], ...]
    free: tuple[str, ...]
    ask_below: float = 0.0
    refuse_below: float = 0.0
    harmless: tuple[str, ...] = ()
    fusion: Fusion | None = None
    gate: Gate | None = None


class AlternativeRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A meaning that lost; score in nats below the best."""

    text: str
    intent: str
    slots: dict[str, Any]
    score: float


class Verdict(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An understanding (assistant.types.Understanding) as far as it is decided, not heard."""

    outcome: str
    intent: str
    slots: dict[str, Any]
    text: str
    confidence: float
    heard: float
    reason: str
    question: str
    differs: tuple[str, ...]
    alternatives: tuple[AlternativeRecord, ...]
    response: str
    partial: bool
    taken: bool = False


class PickRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the scheduler chose (assistant.types.Pick), without the recogniser's settings: the variant says them."""

    plan: str
    policy: str
    reason: str
    likely_ms: float
    late_ms: float
    budget_ms: float
    measured_ms: float | None
    signals: dict[str, float]


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One decision.

    id: UTC time, sortable. at: seconds since the epoch. program: this package's version.
    context, context_hash, context_folder: what could be said. path: sound file, "" for a microphone.
    utterance: None for typed text. text, hypotheses, truncated, decoded_start_s, engine, variant: the transcript.
    hearing_ms: the recogniser's steps. timings_ms: recognize, understand, decide, total.
    felt_ms: from the last sound of speech to the decision, None for typed text and files.
    fused: bundle and variant of the fused net, "" where none looked.
    pick: what the scheduler chose and why, None where nothing was chosen.
    decided: what `decide` said. result: what the dialogue made of it, None where that is the same.
    """

    format: int
    id: str
    at: float
    program: str
    context: str
    context_hash: str
    context_folder: str
    engine: str
    variant: str
    path: str
    utterance: UtteranceRecord | None
    text: str
    hypotheses: tuple[HypothesisRecord, ...]
    truncated: bool
    decoded_start_s: float
    hearing_ms: dict[str, float]
    timings_ms: dict[str, float]
    felt_ms: float | None
    thresholds: Thresholds
    decided: Verdict
    result: Verdict | None
    reply: str
    expects_answer: bool
    provisional: bool
    revises: bool
    fused: str = ""
    pick: PickRecord | None = None

    @property
    def final(self) -> Verdict:
        """What came of it."""
        return self.result or self.decided

    @property
    def waited_ms(self) -> float | None:
        """Of `felt_ms`, what was no computing; None for typed text and for files read faster than real time."""
        total_ms = self.timings_ms.get("total", 0.0)
        return None if self.felt_ms is None or self.felt_ms < total_ms else self.felt_ms - total_ms


def encode(record: Record) -> bytes:
    """`record` as bytes: msgpack, deflated."""
    return zlib.compress(_ENCODER.encode(record))


def decode(data: bytes, where: str = "") -> Record:
    """The record in `data`. Raises StorageError when it is damaged or of a newer program."""
    remedy = "`assistant forget` removes it"
    try:
        plain = zlib.decompress(data)
        written = msgspec.msgpack.decode(plain, type=_Format).format
        if written > FORMAT:
            raise StorageError(
                f"written by a newer version (format {written}; this one reads up to {FORMAT})",
                where=where,
                remedy=f"update the assistant, or {remedy}",
            )
        return _DECODER.decode(plain)
    except (zlib.error, msgspec.DecodeError) as error:
        raise StorageError(f"the record is damaged ({error})", where=where, remedy=remedy) from error


def voice_probabilities(utterance: UtteranceRecord) -> NDArray[np.float32]:
    """Voice activity, float32, shape [frames], 0..1."""
    return np.frombuffer(utterance.voice, np.uint8).astype(np.float32) / np.float32(255)


def levels_db(utterance: UtteranceRecord) -> NDArray[np.float32]:
    """Loudness, float32, shape [frames], decibels of full scale."""
    steps = np.frombuffer(utterance.level, np.uint8).astype(np.float32)
    return LEVEL_FLOOR_DB + LEVEL_STEP_DB * steps


class _Format(Struct):
    """The one field that every format has."""

    format: int


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)
