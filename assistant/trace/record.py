"""A decision as it is written down: all that `decide` saw, what it said, what came of it and where the time went.

    Decision, Context ── record_of ─► Record ── encode ─► bytes ── decode ─► Record ── transcript_of ─► Transcript

Sound and encoder states are not in it. Of the sound it keeps how loud each 20 ms was, which no word can be heard from.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from assistant.errors import StorageError
from assistant.grammar.tree import Context
from assistant.grammar.wildcards import free_slots
from assistant.types import (
    FRAME_SAMPLES,
    Agreement,
    Alternative,
    Decision,
    Fusion,
    Gate,
    Hypothesis,
    Pick,
    Transcript,
    Understanding,
    Utterance,
    Word,
    frozen_array,
)
from assistant.understand.calibration import as_accept
from assistant.understand.decide import rule_of

FORMAT = 3
"""Raised with every change of these structs; a record of a higher format is not read."""

ENCODER_STEP_S = 0.024
"""What one attention frame covers: Moonshine's, the one engine that gives attention."""

LEVEL_FLOOR_DB = -127.5
LEVEL_STEP_DB = 0.5


class HypothesisRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A hypothesis (assistant.types.Hypothesis), its attention reduced to one instant a token.

    log_p, ilm: float32, nats a token. words: text, start and end in seconds, confidence.
    centres_s: where each token was heard, seconds from the beginning of the utterance; empty without attention.
    right, whole, decoded: what a fused net said of it (assistant.types.Agreement), None where none looked.
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


def record_of(decision: Decision, id_: str) -> Record:
    """Write down `decision`."""
    transcript, understanding, context = decision.transcript, decision.understanding, decision.context
    first, last = verdict_of(decision.decided), verdict_of(understanding)
    return Record(
        format=FORMAT,
        id=id_,
        at=decision.at,
        program=_program(),
        context=context.name,
        context_hash=context.hash,
        context_folder=context.folder,
        engine=transcript.engine,
        variant=transcript.variant,
        path=decision.path,
        utterance=None if decision.utterance is None else _utterance(decision.utterance),
        text=transcript.text,
        hypotheses=tuple(_hypothesis(h, transcript.decoded_start_s) for h in transcript.hypotheses),
        truncated=transcript.truncated,
        decoded_start_s=float(transcript.decoded_start_s),
        hearing_ms=_numbers(transcript.timings_ms),
        timings_ms=_numbers(understanding.timings_ms),
        felt_ms=None if decision.felt_ms is None else float(decision.felt_ms),
        thresholds=thresholds_of(context, transcript.fusion, transcript.gate),
        decided=first,
        result=None if first == last else last,
        reply=decision.reply.text,
        expects_answer=decision.reply.expects_answer,
        provisional=decision.provisional,
        revises=decision.revises,
        fused=transcript.fused,
        pick=None if decision.pick is None else _pick(decision.pick),
    )


def thresholds_of(context: Context, fusion: Fusion | None = None, gate: Gate | None = None) -> Thresholds:
    """All that `decide` takes from `context`, and from the fused net's bundle."""
    settings = context.settings
    rule = rule_of(context, fusion)
    return Thresholds(
        accept=_numbers(as_accept(rule)),
        ask_margin=float(rule.ask_margin),
        confusable=tuple((a, b) for a, b in settings.confusable),
        free=tuple(sorted(free_slots(context))),
        ask_below=float(settings.ask_below),
        refuse_below=float(settings.refuse_below),
        fusion=_plain(fusion),
        gate=gate,
    )


def verdict_of(understanding: Understanding) -> Verdict:
    """What `understanding` decided."""
    u = understanding
    return Verdict(
        outcome=u.outcome.value,
        intent=u.intent,
        slots=_slots(u.slots),
        text=u.text,
        confidence=float(u.confidence),
        heard=float(u.heard),
        reason=u.reason,
        question=u.question,
        differs=tuple(u.differs),
        alternatives=tuple(map(_alternative, u.alternatives)),
        response=u.response,
        partial=u.partial,
        taken=u.taken,
    )


def transcript_of(record: Record) -> Transcript:
    """The transcript that was decided about, without encoder states and attention."""
    return Transcript(
        hypotheses=tuple(map(_hypothesis_again, record.hypotheses)),
        text=record.text,
        engine=record.engine,
        variant=record.variant,
        decoded_start_s=record.decoded_start_s,
        timings_ms=record.hearing_ms,
        truncated=record.truncated,
        fused=record.fused,
        fusion=record.thresholds.fusion,
        gate=record.thresholds.gate,
    )


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


def _program() -> str:
    return metadata.version("assistant-voice")


def _pick(pick: Pick) -> PickRecord:
    return PickRecord(
        plan=pick.plan,
        policy=pick.policy,
        reason=pick.reason,
        likely_ms=float(pick.likely_ms),
        late_ms=float(pick.late_ms),
        budget_ms=float(pick.budget_ms),
        measured_ms=None if pick.measured_ms is None else float(pick.measured_ms),
        signals=_numbers(pick.signals),
    )


def _hypothesis(h: Hypothesis, decoded_start_s: float) -> HypothesisRecord:
    return HypothesisRecord(
        intent=h.intent,
        slots=_slots(h.slots),
        text=h.text,
        score=float(h.score),
        rerank=float(h.rerank),
        prior=float(h.prior),
        tokens=tuple(h.tokens.tolist()),
        log_p=tuple(h.log_p.tolist()),
        ilm=tuple(h.ilm.tolist()),
        centres_s=() if h.attention is None else _centres_s(h.attention, decoded_start_s),
        words=tuple((w.text, float(w.start_s), float(w.end_s), float(w.confidence)) for w in h.words),
        terminal=h.terminal,
        response=h.response,
        right=None if h.agreement is None else h.agreement.right,
        whole=None if h.agreement is None else h.agreement.whole,
        decoded=None if h.agreement is None else float(h.agreement.decoded),
        spelt=h.spelt,
    )


def _hypothesis_again(h: HypothesisRecord) -> Hypothesis:
    return Hypothesis(
        intent=h.intent,
        slots=h.slots,
        text=h.text,
        score=h.score,
        rerank=h.rerank,
        tokens=frozen_array(np.array(h.tokens, np.int32)),
        log_p=frozen_array(np.array(h.log_p, np.float32)),
        ilm=frozen_array(np.array(h.ilm, np.float32)),
        prior=h.prior,
        words=tuple(Word(*word) for word in h.words),
        terminal=h.terminal,
        response=h.response,
        agreement=_agreement(h),
        spelt=h.spelt,
    )


def _agreement(h: HypothesisRecord) -> Agreement | None:
    if h.right is None or h.whole is None or h.decoded is None:
        return None
    return Agreement(h.right, h.whole, h.decoded)


def _plain(fusion: Fusion | None) -> Fusion | None:
    """The same with plain dictionaries, as it is read again."""
    if fusion is None:
        return None
    return replace(fusion, confidence=_numbers(fusion.confidence), whole=_numbers(fusion.whole))


def _centres_s(attention: NDArray[np.float32], decoded_start_s: float) -> tuple[float, ...]:
    """Centre of gravity of each token's squared attention: the square keeps its diffuse part from pulling inwards."""
    weights = attention.astype(np.float64) ** 2
    frames = np.arange(attention.shape[1]) + 0.5
    centres = (weights @ frames) / np.maximum(weights.sum(axis=1), 1e-12)
    return tuple(round(decoded_start_s + ENCODER_STEP_S * centre, 3) for centre in centres.tolist())


def _utterance(utterance: Utterance) -> UtteranceRecord:
    return UtteranceRecord(
        duration_s=utterance.duration_s,
        speech_start_s=float(utterance.speech_start_s),
        speech_end_s=float(utterance.speech_end_s),
        end=utterance.end.value,
        voice=np.round(np.clip(utterance.voice, 0, 1) * 255).astype(np.uint8).tobytes(),
        level=_levels(utterance.pcm),
    )


def _levels(pcm: NDArray[np.int16]) -> bytes:
    frames = -(-len(pcm) // FRAME_SAMPLES)
    padded = np.zeros(frames * FRAME_SAMPLES, np.float64)
    padded[: len(pcm)] = pcm / 32768
    power = (padded.reshape(frames, FRAME_SAMPLES) ** 2).mean(axis=1)
    level_db = 10 * np.log10(np.maximum(power, 1e-13))
    steps: NDArray[np.uint8] = np.clip(np.round((level_db - LEVEL_FLOOR_DB) / LEVEL_STEP_DB), 0, 255).astype(np.uint8)
    return steps.tobytes()


def _alternative(alternative: Alternative) -> AlternativeRecord:
    a = alternative
    return AlternativeRecord(text=a.text, intent=a.intent, slots=_slots(a.slots), score=float(a.score))


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _slots(slots: Mapping[str, Any]) -> dict[str, Any]:
    """Slot values as plain numbers, texts and lists of them (numpy's scalars come from skills and engines)."""
    plain: dict[str, Any] = msgspec.to_builtins(dict(slots), enc_hook=_scalar)
    return plain


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
