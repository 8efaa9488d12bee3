"""A record in plain words: what was heard, what competed, why it was accepted, asked about or refused, where time went.

Pure: record in, sentences out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from assistant.trace.record import HypothesisRecord, Record, Verdict, levels_db, voice_probabilities
from assistant.trace.replay import context_of
from assistant.trace.writing import transcript_of
from assistant.types import Gate, Hypothesis, Outcome, Transcript
from assistant.understand.calibration import FEATURES, MARGIN_CAP, Calibration, calibration, features
from assistant.understand.decide import rivals
from assistant.understand.fused import fuse

Pieces = Callable[[tuple[int, ...]], tuple[str, ...]]
"""Token ids → how each is written, a leading space kept ("▁latte" as " latte")."""

SHOWN = 4
"""Meanings listed."""
FAINT_NATS = -1.0
"""A token less likely than e^-1 (37 %), with all that was said before it known, was heard faintly."""

ENDS = {
    "silence": "ended by silence",
    "complete": "ended early, because the sentence was complete",
    "cap": "cut at the longest time that an utterance may take",
    "released": "ended by letting go of the key",
    "stream_end": "ended with the recording",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One aspect of a decision: a title of one word and sentences."""

    title: str
    sentences: tuple[str, ...]


def explain(record: Record, pieces: Pieces | None = None) -> tuple[Section, ...]:
    """The explanation of `record`. pieces: the recogniser's tokens in letters, where they can be had."""
    parts = (
        ("Heard", _heard(record)),
        ("Outcome", _outcome(record)),
        ("Because", _because(record, pieces)),
        ("Competed", _competed(record)),
        ("Time", _time(record)),
    )
    return tuple(Section(title, sentences) for title, lines in parts if (sentences := tuple(lines)))


def headline(record: Record) -> str:
    """The decision in one line."""
    final = record.final
    said = f"“{final.text}”" if final.text else "no words"
    meaning = meaning_of(final.intent, final.slots) if final.outcome != Outcome.REFUSE.value else ""
    return f"{final.outcome} {said}{f'  {meaning}' if meaning else ''}"


def meaning_of(intent: str, slots: dict[str, object]) -> str:
    """An intent with its slots: `turnOn(name=lamp)`."""
    return f"{intent}({', '.join(f'{name}={value}' for name, value in slots.items())})" if intent else ""


def _heard(record: Record) -> Iterator[str]:
    u = record.utterance
    engine = f"{record.engine} {record.variant}".strip()
    if u is None:
        yield f"Typed, not spoken. It was matched by {engine} with the context {record.context}."
    else:
        speech_s = u.speech_end_s - u.speech_start_s
        if speech_s <= 0:
            yield f"{u.duration_s:.1f} s of sound in which no voice was found."
        else:
            yield (
                f"{speech_s:.1f} s of speech, {_loudness(record)}, {ENDS.get(u.end, u.end)}; "
                f"{engine} listened for the context {record.context}."
            )
    if record.text:
        yield f"It came out as “{record.text}”"
    if record.revises:
        yield "It takes the place of the decision before: the same sentence, heard further."
    if record.truncated:
        yield "Time ran out while it was being recognised; this is the best that was ready."


def _loudness(record: Record) -> str:
    """How far the voice stood above what surrounded it, in words."""
    assert record.utterance is not None
    level, voice = levels_db(record.utterance), voice_probabilities(record.utterance)
    count = min(len(level), len(voice))
    spoken, silent = level[:count][voice[:count] >= 0.5], level[:count][voice[:count] < 0.5]
    if not len(spoken):
        return "faint"
    loud_db = float(sorted(spoken)[len(spoken) // 2])
    text = f"{loud_db:.0f} dB of full scale"
    if len(silent) >= 5:
        text += f" and {loud_db - float(sorted(silent)[len(silent) // 2]):.0f} dB above what was around it"
    return text


def _outcome(record: Record) -> Iterator[str]:
    final, decided = record.final, record.decided
    verbs = {"accept": "Accepted", "ask": "Asked back", "refuse": "Refused"}
    sure = f", {final.confidence:.0%} sure" if final.outcome == "accept" and record.result is None else ""
    meaning = meaning_of(final.intent, final.slots)
    about = f": {meaning}" if meaning and final.outcome != "refuse" else ""
    yield f"{verbs[final.outcome]}{sure}{about}."
    if final.question:
        yield f"It asked: “{final.question}”"
    if record.reply and record.reply != final.question:
        yield f"It answered: “{record.reply}”"
    elif not record.reply:
        yield "It said nothing."
    if record.result is not None:
        yield f"The question that was open decided it: {final.reason}."
        yield f"By itself it was: {decided.outcome} {meaning_of(decided.intent, decided.slots)}".rstrip() + "."
    if record.provisional:
        yield "The sentence could have gone on, so what cannot be undone waited a moment."


def _because(record: Record, pieces: Pieces | None) -> Iterator[str]:
    transcript, rule = transcript_of(record), calibration_of(record)
    if not transcript.hypotheses:
        yield f"{_sentence(record.decided.reason)} No sentence that the context knows came near."
        return
    if transcript.gate is not None:
        yield from _by_sound(record, transcript.gate)
        return
    best, others = transcript.hypotheses[0], rivals(transcript, context_of(record.thresholds))
    decided = record.decided
    if decided.differs:
        yield from _near(decided, best, others, rule)
    elif decided.outcome == Outcome.ASK.value and decided.heard >= rule.doubt and transcript.fusion is None:
        yield _sentence(decided.reason)
    yield from _fit(decided, best, others, rule)
    if decided.outcome == Outcome.ACCEPT.value:
        yield _clear(best, others, rule)
    yield from _compared(record, transcript, others)
    if pieces is not None and len(best.tokens):
        yield from _faint(record.hypotheses[0], pieces)


def _by_sound(record: Record, gate: Gate) -> Iterator[str]:
    """Nothing was decoded."""
    yield "No words were looked for: it was understood from the sound alone, which takes a fraction of the time."
    yield (
        f"“{record.decided.text}” is its nearest meaning: {record.decided.confidence:.0%} sure "
        f"(it acts from {gate.accept:.0%} on, and asks from {gate.ask:.0%} on)."
    )


def _near(decided: Verdict, best: Hypothesis, others: tuple[Hypothesis, ...], rule: Calibration) -> Iterator[str]:
    """Two meanings nearly equal."""
    other = next((o for o in others if f"“{o.text}”" in decided.reason), others[0] if others else None)
    if other is None:
        yield _sentence(decided.reason)
        return
    gap = best.rerank - other.rerank
    what = "in what is wanted" if decided.differs == ("intent",) else f"in {_listed(decided.differs)}"
    yield (
        f"The recogniser preferred “{best.text}”, but “{other.text}” was only {gap:.1f} nats behind "
        f"({math.exp(min(gap, MARGIN_CAP)):.1f} to 1), and the two differ {what}."
    )
    if gap < rule.ask_margin:
        yield f"Meanings less than {rule.ask_margin:.1f} nats apart are asked about."
    else:
        yield (
            f"{rule.ask_margin:.1f} nats are enough usually, but these two sound alike, or the first says less than "
            "the second: that needs more."
        )


def _fit(decided: Verdict, best: Hypothesis, others: tuple[Hypothesis, ...], rule: Calibration) -> Iterator[str]:
    """Was it said to the assistant at all."""
    refused, doubted = decided.heard < rule.refuse, decided.heard < rule.doubt
    likely = f"The chance that it was meant for this context is {decided.heard:.0%}"
    if not (refused or doubted):
        yield f"{likely} (it asks below {rule.doubt:.0%} and refuses below {rule.refuse:.0%})."
        return
    limit, does = (rule.refuse, "refuses") if refused else (rule.doubt, "asks")
    yield f"“{best.text}” fits best, but hardly: {likely[0].lower()}{likely[1:]}, and below {limit:.0%} it {does}."
    needed = _needed_per_token(best, others, rule, limit)
    if needed is not None:
        yield f"It scored {best.score_per_token:.2f} nats a token; {needed:.2f} would have been enough."


def _compared(record: Record, transcript: Transcript, others: tuple[Hypothesis, ...]) -> Iterator[str]:
    """What the fused net said of it."""
    best, fusion = transcript.hypotheses[0], transcript.fusion
    if fusion is None or best.agreement is None:
        return
    first = fuse.preferred(transcript)
    if first is None:
        yield f"Compared with the sound ({record.fused}): {fuse.agrees(best):.0%} that this was said."
    else:
        agreed, against = fuse.compared(best, first, fusion)
        yield (
            f"The recogniser preferred “{first.text}”; compared with the sound ({record.fused}), "
            f"{agreed:.0%} that “{best.text}” was said, {against:.0%} that the other was."
        )
    whole = fuse.whole(fuse.values(best, others), fusion)
    yield f"The chance that this was all that was said is {whole:.0%} (it asks below {fusion.doubt:.0%})."


def _needed_per_token(
    best: Hypothesis, others: tuple[Hypothesis, ...], rule: Calibration, limit: float
) -> float | None:
    """The score per token at which, all else equal, the probability reaches `limit`."""
    weight = rule.heard.weights[FEATURES.index("per_token")]
    if not len(best.tokens) or weight <= 0 or not 0 < limit < 1:
        return None
    values = dict(zip(FEATURES, features(best, others), strict=True)) | {"per_token": 0.0}
    rest = rule.heard.bias + sum(w * values[name] for name, w in zip(FEATURES, rule.heard.weights, strict=True))
    return (math.log(limit / (1 - limit)) - rest) / weight


def _clear(best: Hypothesis, others: tuple[Hypothesis, ...], rule: Calibration) -> str:
    if not others:
        return "No other meaning came into question."
    nearest = max(others, key=lambda other: other.rerank)
    gap = best.rerank - nearest.rerank
    return (
        f"The nearest other meaning, “{nearest.text}”, was {gap:.1f} nats behind; "
        f"it asks when there are less than {rule.ask_margin:.1f}."
    )


def _faint(best: HypothesisRecord, pieces: Pieces) -> Iterator[str]:
    """Which words were hard to hear."""
    words = [(word, nats) for word, nats in words_of(best, pieces) if nats < FAINT_NATS]
    if words:
        shown = sorted(words, key=lambda pair: pair[1])[:3]
        yield f"Heard faintly: {', '.join(f'“{word}” ({nats:.1f} nats)' for word, nats in shown)}."


def words_of(hypothesis: HypothesisRecord, pieces: Pieces) -> list[tuple[str, float]]:
    """The words that tokens spell, each with the log-probability of its least likely token."""
    words: list[tuple[str, float]] = []
    for piece, nats in zip(pieces(hypothesis.tokens), hypothesis.log_p, strict=True):
        if piece.startswith(" ") or (piece and not words):
            words.append((piece.strip(), nats))
        elif piece:
            words[-1] = (words[-1][0] + piece, min(words[-1][1], nats))
    return [(word.strip(".,;:!?"), nats) for word, nats in words if word.strip(".,;:!?")]


def _competed(record: Record) -> Iterator[str]:
    if len(record.hypotheses) < 2:
        return
    top = record.hypotheses[0].rerank
    for number, h in enumerate(record.hypotheses[:SHOWN], 1):
        behind = "best" if number == 1 else f"{h.rerank - top:+.1f} nats"
        yield f"{number}. {behind}: {meaning_of(h.intent, h.slots)} “{h.text}”"
    more = len(record.hypotheses) - SHOWN
    if more > 0:
        yield f"and {more} more."


def _time(record: Record) -> Iterator[str]:
    t = record.timings_ms
    total = t.get("total", sum(record.hearing_ms.values()))
    steps = ", ".join(f"{name} {ms:.0f}" for name, ms in record.hearing_ms.items())
    computed = f"{total:.0f} ms of computing{f' ({steps})' if steps else ''}"
    yield from _planned(record)
    if record.waited_ms is None:
        yield f"{computed}."
        return
    yield (
        f"It was decided {record.felt_ms:.0f} ms after the last sound of speech: {computed}, "
        f"and {record.waited_ms:.0f} ms of waiting to be sure that the sentence was over."
    )


def _planned(record: Record) -> Iterator[str]:
    """How hard it tried, why, and whether that was foreseen."""
    pick = record.pick
    if pick is None:
        return
    yield f"Plan {pick.reason}."
    took = "" if pick.measured_ms is None else f"; recognition took {pick.measured_ms:.0f} ms"
    yield (
        f"Foreseen were {pick.likely_ms:.0f} ms, at worst {pick.late_ms:.0f}, of {pick.budget_ms:.0f} ms that were "
        f"left{took}."
    )


def calibration_of(record: Record) -> Calibration:
    """What the record was judged by."""
    return calibration(record.thresholds.accept, record.thresholds.ask_margin)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}."
