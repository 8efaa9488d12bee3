"""Writes a decision down as a record, and makes of a record again what was decided about.

    Decision, Context ── record_of ─► Record ── transcript_of ─► Transcript

Sound and encoder states are not in it. Of the sound it keeps how loud each 20 ms was, which no word can be heard from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assistant.grammar.tree import Context
from assistant.grammar.wildcards import free_slots
from assistant.trace.record import (
    FORMAT,
    LEVEL_FLOOR_DB,
    LEVEL_STEP_DB,
    AlternativeRecord,
    HypothesisRecord,
    PickRecord,
    Record,
    Thresholds,
    UtteranceRecord,
    Verdict,
)
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

ENCODER_STEP_S = 0.024
"""What one attention frame covers: Moonshine's, the one engine that gives attention."""


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
        harmless=settings.harmless,
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
        sound=None if h.agreement is None else h.agreement.sound,
        faintest=None if h.agreement is None else h.agreement.faintest,
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
    return Agreement(h.right, h.whole, h.decoded, h.sound, h.faintest)


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
