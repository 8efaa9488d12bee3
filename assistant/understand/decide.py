"""Accept, ask back or refuse: a pure function of the transcript and the context's calibrated thresholds.

no meaning, or hardly said to us      ─► refuse
less likely right than wrong          ─► refuse (where the context says how likely it must be)
two meanings nearly equal             ─► ask which, naming what differs
perhaps not said to us                ─► ask whether
free words that may be others         ─► ask whether
less sure than the context wants      ─► ask whether
perhaps not all that was said         ─► ask whether (where a fused net compared it with the sound)
otherwise                             ─► accept

Where nothing was decoded (`Transcript.gate`) only the confidence counts: act, ask or refuse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from assistant.grammar.tree import Context
from assistant.grammar.wildcards import free_slots
from assistant.types import Alternative, Fusion, Gate, Hypothesis, Outcome, Transcript, Understanding
from assistant.understand.calibration import Calibration, calibration, features, margin
from assistant.understand.fused import by_sound, fuse

CONFUSABLE_MARGIN_FACTOR = 1.5
"""Pairs of wordings that sound alike and mean different things need this many times the usual margin."""
WIDENING_MARGIN_FACTOR = 1.5
"""So does a meaning that says less than its competitor: lost words must not widen an order."""
FREE_SCORE, FREE_LOG_P = 1.1, -0.15
"""Words that no list has are taken as they were heard from this score per token and mean log-probability, nats, on;
otherwise it asks. Measured on 40 things by two voices, clean and in kitchen noise: at least 98 % of those taken right.
"""
ALTERNATIVES = 4
INTENT = "intent"
_WORD = r"[^\s.,?!;:]+"
UNSCORED_REFUSE, UNSCORED_DOUBT = 0.3, 0.52
"""The two bounds where an engine gives no token scores (vosk, typed text): its own confidence is not calibrated."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided and why."""

    outcome: Outcome
    reason: str
    differs: tuple[str, ...] = ()
    taken: bool = False


def decide(transcript: Transcript, context: Context) -> Understanding:
    """The decision about `transcript`. `question` and the times are filled in by whoever knows them."""
    fusion = transcript.fusion
    rule = rule_of(context, fusion)
    if not transcript.hypotheses:
        said = f"heard “{transcript.text}”, which is" if transcript.text else "nothing said was"
        return _understanding(transcript, None, Verdict(Outcome.REFUSE, f"{said} not in the context"), 0.0, 0.0)
    best = transcript.hypotheses[0]
    if transcript.gate is not None:
        return _by_sound(transcript, transcript.gate)
    heard, right = probabilities(transcript, context, rule)
    verdict = _judge(transcript, context, rule, heard, right)
    if fusion is not None and best.agreement is not None:
        of = fuse.values(best, rivals(transcript, context))
        right = fuse.confidence(of, fusion)
        whole = 1.0 if best.intent in context.settings.harmless else fuse.whole(of, fusion)
        verdict = _compared(transcript, verdict, whole, right)
    return _understanding(transcript, best, verdict, heard, right)


def _by_sound(transcript: Transcript, gate: Gate) -> Understanding:
    """The decision where nothing was decoded: what cannot be taken back is then asked about (`partial`)."""
    best = transcript.hypotheses[0]
    right = by_sound.confidence(best.score, gate)
    heard = min(sum(math.exp(min(h.score, 0.0)) for h in transcript.hypotheses), 1.0)
    sure = f"by its sound alone, {right:.2f} sure"
    if right >= gate.accept:
        verdict = Verdict(Outcome.ACCEPT, f"“{best.text}” fits {sure}", taken=True)
    elif right >= gate.ask:
        verdict = Verdict(Outcome.ASK, f"“{best.text}” fits, but only {sure}")
    else:
        verdict = Verdict(Outcome.REFUSE, f"“{best.text}” fits best, but hardly: {sure}")
    return replace(_understanding(transcript, best, verdict, heard, right), partial=True)


def rule_of(context: Context, fusion: Fusion | None) -> Calibration:
    """The calibration that a decision under `context` is made by."""
    own = context.settings.ask_margin
    fused = fusion.ask_margin if fusion is not None else None
    return calibration(context.settings.accept, own if fused is None else fused)


def probabilities(transcript: Transcript, context: Context, rule: Calibration) -> tuple[float, float]:
    """(was it said to us, is the meaning strictly right), each 0..1."""
    best = transcript.hypotheses[0]
    if len(best.tokens):
        values = features(best, rivals(transcript, context))
        heard = rule.heard.probability(values)
        return heard, heard * rule.right.probability(values)
    if best.words:
        heard = sum(word.confidence for word in best.words) / len(best.words)
    else:
        heard = math.exp(min(best.score, 0.0) / 4)
    gap = margin(best, rivals(transcript, context))
    return heard, heard / (1 + math.exp(-gap))


def _judge(transcript: Transcript, context: Context, rule: Calibration, heard: float, right: float) -> Verdict:
    best, settings = transcript.hypotheses[0], context.settings
    scored = bool(len(best.tokens))
    refuse, doubt = (rule.refuse, rule.doubt) if scored else (UNSCORED_REFUSE, UNSCORED_DOUBT)
    held = scored and best.intent not in settings.harmless
    if heard < refuse or (held and right < settings.refuse_below):
        but = f"does not sound like it ({_score(best)})" if heard < refuse else f"hardly surely ({right:.2f})"
        return Verdict(Outcome.REFUSE, f"“{best.text}” fits best, but {but}")
    between = _between(transcript, context, rule)
    if between is not None:
        return between
    if heard < doubt:
        return Verdict(Outcome.ASK, f"“{best.text}” fits, but it may not have been said to me ({_score(best)})")
    if held and right < settings.ask_below:
        return Verdict(Outcome.ASK, f"“{best.text}” fits, but not surely ({right:.2f} that it is right)")
    if best.spelt and not _spelt_clearly(best):
        return Verdict(Outcome.ASK, f"“{best.text}” fits, but has words that no list has and that may be others")
    return Verdict(Outcome.ACCEPT, f"“{best.text}” fits ({_score(best)}) and nothing else comes near", taken=True)


def _between(transcript: Transcript, context: Context, rule: Calibration) -> Verdict | None:
    """The question which of two meanings that are nearly equal was said; None where the best stands alone."""
    best = transcript.hypotheses[0]
    for other in rivals(transcript, context):
        gap = best.rerank - other.rerank
        if gap < rule.ask_margin * _care(best, other, context):
            reason = f"“{best.text}” and “{other.text}” fit almost equally ({gap:.1f} nats apart)"
            return Verdict(Outcome.ASK, reason, differing(best, other), taken=True)
    return None


def _spelt_clearly(best: Hypothesis) -> bool:
    """Whether its free words, for which there is no second meaning to compare with, were surely heard."""
    return best.score_per_token >= FREE_SCORE and float(best.log_p[list(best.spelt)].mean()) >= FREE_LOG_P


def _compared(transcript: Transcript, verdict: Verdict, whole: float, right: float) -> Verdict:
    """The verdict once the net compared the best meaning with the sound: it may ask, and says what it changed.

    whole, right: probabilities that the best meaning is all that was said, and that it is strictly right.
    """
    best, reason, fusion = transcript.hypotheses[0], verdict.reason, transcript.fusion
    assert fusion is not None
    if verdict.outcome is Outcome.REFUSE and right >= fusion.offer:
        verdict = Verdict(Outcome.ASK, "")
        reason = f"“{best.text}” scores low, but the sound agrees ({right:.2f} that it is right)"
    if verdict.taken and whole < fusion.doubt:
        verdict = Verdict(Outcome.ASK, "", verdict.differs, taken=right >= fusion.taken)
        if not verdict.differs:
            reason = f"“{best.text}” fits, but more or less than that was heard ({whole:.2f} that it is all)"
    first = fuse.preferred(transcript)
    if first is not None:
        reason += f"; {_preference(first, best, fusion)}"
    return replace(verdict, reason=reason)


def _preference(first: Hypothesis, best: Hypothesis, fusion: Fusion) -> str:
    """That the sound agreed with another meaning than the recogniser, naming the one slot in which they differ."""
    one, two = f"“{first.text}”", f"“{best.text}”"
    names = differing(first, best)
    if len(names) == 1 and names[0] != INTENT:
        one, two = (_value(h.slots.get(names[0]), names[0]) for h in (first, best))
    agreed, against = fuse.compared(best, first, fusion)
    return f"the recogniser preferred {one}, the sound agreed with {two}: {agreed:.2f} against {against:.2f}"


def _value(value: object, name: str) -> str:
    return f"no {name}" if value is None else str(value)


def _score(best: Hypothesis) -> str:
    """How well the sound fits, in words."""
    if len(best.tokens):
        return f"score {best.score_per_token:.2f} per token"
    return f"score {best.score:.1f}"


def _care(best: Hypothesis, other: Hypothesis, context: Context) -> float:
    """How many times the usual margin this pair needs."""
    one, two = _spaced(best.text), _spaced(other.text)
    for a, b in context.settings.confusable:
        if (f" {a} " in one and f" {b} " in two) or (f" {b} " in one and f" {a} " in two):
            return CONFUSABLE_MARGIN_FACTOR
    if best.intent == other.intent and best.slots.items() < other.slots.items():
        return WIDENING_MARGIN_FACTOR
    return 1.0


def _spaced(text: str) -> str:
    """The words of `text` in lower case without marks, a space before and after each."""
    return f" {' '.join(re.findall(_WORD, text.lower()))} "


def rivals(transcript: Transcript, context: Context) -> tuple[Hypothesis, ...]:
    """Hypotheses that mean something else than the best; another spelling of free words is not another meaning."""
    best, free = transcript.hypotheses[0], free_slots(context)
    return tuple(other for other in transcript.hypotheses[1:] if not set(differing(best, other)) <= free)


def differing(best: Hypothesis, other: Hypothesis) -> tuple[str, ...]:
    """Slots in which two meanings differ, or ("intent",) when they want different things."""
    if best.intent != other.intent:
        return (INTENT,)
    names = dict.fromkeys([*best.slots, *other.slots])
    differ = tuple(name for name in names if best.slots.get(name) != other.slots.get(name))
    # Of two commands in one sentence one has another intent: that is not asked by naming its slot.
    return (INTENT,) if any(name.endswith(f".{INTENT}") for name in differ) else differ


def _understanding(
    transcript: Transcript, best: Hypothesis | None, verdict: Verdict, heard: float, right: float
) -> Understanding:
    slots: Mapping[str, Any] = best.slots if best else {}
    top = best.rerank if best else 0.0
    return Understanding(
        outcome=verdict.outcome,
        intent=best.intent if best else "",
        slots=slots,
        text=best.text if best else transcript.text,
        confidence=right,
        reason=verdict.reason,
        engine=transcript.engine,
        variant=f"{transcript.variant}+{transcript.fused}" if transcript.fused else transcript.variant,
        differs=verdict.differs,
        alternatives=tuple(
            Alternative(h.text, h.intent, h.slots, h.rerank - top) for h in transcript.hypotheses[1 : 1 + ALTERNATIVES]
        ),
        partial=transcript.truncated,
        response=best.response if best else "default",
        heard=heard,
        taken=verdict.taken,
    )
