"""Joins the net's answers with the recogniser's scores: pure, its numbers from the bundle, so that a record replays.

    rerank' = rerank + weight · right + sound_weight · sound    then the best meaning is another one, or further ahead
    P(strictly right), P(whole)                                 logistic in VALUES

A meaning that the net did not look at counts as if it agreed as little as the least of those it did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from assistant.types import Agreement, Fusion, Hypothesis, Transcript
from assistant.understand.calibration import FEATURES, features

VALUES = (
    *("per_token", "length", "weakest", "margin", "mean", "end", "right", "whole", "right_lead"),
    *("apart", "strained"),
)
"""What the probabilities are made of: four of calibration.py; log p of all tokens on average, and of the end, which
is unlikely where somebody speaks on; the best meaning's two logits; how far its `right` is above its rivals'; log p of
the tokens that a rival lacks, on average; margin times weakest, so that a faint word counts where nothing rivals it."""
SOUND_VALUES = ("sound", "faintest")
"""What a second witness adds, the net for sound alone, which knows no words: the log-probability of the meaning, and of
its least likely part. 0 where it was not asked."""
LOGIT_CAP = 8.0
SOUND_FLOOR, FAINTEST_FLOOR = -12.0, -8.0
END_FLOOR = -8.0
BIAS = "bias"
WHOLE_ALONE = {BIAS: 0.0, "whole": 1.0}
RIGHT_ALONE = {BIAS: 0.0, "right": 1.0}
"""Where a bundle gives no weights: the net's own probabilities."""


def fuse(
    transcript: Transcript,
    right: Sequence[float],
    whole: Sequence[float],
    fusion: Fusion,
    name: str,
    sound: Sequence[tuple[float, float]] = (),
) -> Transcript:
    """`transcript` with the net's logits of its first hypotheses joined in, best first again. name: of the net.

    sound: what the net for sound alone says of as many (Agreement.sound, Agreement.faintest); empty: it was not asked.
    """
    if not len(right):
        return transcript
    rest = len(transcript.hypotheses) - len(right)
    rights, wholes = [*right, *[min(right)] * rest], [*whole, *[min(whole)] * rest]
    heard: list[tuple[float | None, float | None]] = [(None, None)] * len(rights)
    if sound:
        heard = [*sound, *[(min(s for s, _ in sound), min(f for _, f in sound))] * rest]
    judged = tuple(
        replace(h, agreement=Agreement(float(r), float(w), h.rerank, *of))
        for h, r, w, of in zip(transcript.hypotheses, rights, wholes, heard, strict=True)
    )
    return rank_again(replace(transcript, hypotheses=judged, fused=name, fusion=fusion))


def rank_again(transcript: Transcript) -> Transcript:
    """The order of meanings by the recogniser's scores and the net's logits, as they stand in the hypotheses."""
    fusion = transcript.fusion
    if fusion is None:
        return transcript

    def score(h: Hypothesis) -> float:
        a = h.agreement
        return h.rerank if a is None else a.decoded + added(a, fusion)

    scored = (replace(h, rerank=score(h)) for h in transcript.hypotheses)
    ranked = tuple(sorted(scored, key=lambda h: -h.rerank))
    return replace(transcript, hypotheses=ranked, text=ranked[0].text)


def added(a: Agreement, fusion: Fusion) -> float:
    """What the nets add to a hypothesis' score, nats."""
    by_words = fusion.weight * min(max(a.right, -fusion.right_cap), fusion.right_cap)
    return by_words + fusion.sound_weight * max(a.sound or 0.0, SOUND_FLOOR)


def asks_sound(fusion: Fusion) -> bool:
    """Whether the net for sound alone counts at all."""
    return fusion.sound_weight > 0 or any(name in fusion.confidence for name in SOUND_VALUES)


def values(best: Hypothesis, rivals: Sequence[Hypothesis]) -> dict[str, float]:
    """VALUES and SOUND_VALUES of the best hypothesis among its rivals; it must have an agreement."""
    assert best.agreement is not None
    a = best.agreement
    others = [o.agreement.right for o in rivals if o.agreement is not None]
    lead = capped(a.right) - max(map(capped, others)) if others else LOGIT_CAP
    named = dict(zip(FEATURES, features(best, rivals), strict=True))
    if len(best.tokens):
        named |= {"mean": float(best.log_p.mean()), "end": max(float(best.log_p[-1]), END_FLOOR)}
    else:  # of words is known how many of the n-best have them, and of the end how much of it this meaning has
        nats = [log_p for _, log_p in _said(best)]
        mean = sum(nats) / max(len(nats), 1)
        named |= {"mean": mean, "end": max(best.score, END_FLOOR), "weakest": min([0.0, *nats])}
    named |= {"right": capped(a.right), "whole": capped(a.whole), "right_lead": lead}
    named |= {"sound": max(a.sound or 0.0, SOUND_FLOOR), "faintest": max(a.faintest or 0.0, FAINTEST_FLOOR)}
    return named | {"apart": apart(best, rivals), "strained": named["margin"] * named["weakest"]}


def apart(best: Hypothesis, rivals: Sequence[Hypothesis]) -> float:
    """Mean log p of the tokens of `best` that one of its rivals lacks: of the words that decide; 0 where none does."""
    others = [{token for token, _ in _said(rival)} for rival in rivals]
    deciding = [log_p for token, log_p in _said(best) if any(token not in other for other in others)]
    return sum(deciding) / len(deciding) if deciding else 0.0


def _said(h: Hypothesis) -> list[tuple[object, float]]:
    """Tokens with their log p; where the recogniser has none, words with the log of their confidence."""
    if len(h.tokens):
        return list(zip(h.tokens.tolist(), h.log_p.tolist(), strict=True))
    return [(word.text, max(math.log(max(word.confidence, 1e-9)), END_FLOOR)) for word in h.words]


def probability(weights: Mapping[str, float], of: Mapping[str, float]) -> float:
    """1 / (1 + exp(-(bias + sum weight · value)))."""
    z = weights.get(BIAS, 0.0) + sum(weight * of[name] for name, weight in weights.items() if name != BIAS)
    return 1.0 / (1.0 + math.exp(-max(min(z, 60.0), -60.0)))


def confidence(of: Mapping[str, float], fusion: Fusion) -> float:
    """Probability that the best meaning is strictly right."""
    return probability(fusion.confidence or RIGHT_ALONE, of)


def whole(of: Mapping[str, float], fusion: Fusion) -> float:
    """Probability that the best meaning is all that was said."""
    return probability(fusion.whole or WHOLE_ALONE, of)


def preferred(transcript: Transcript) -> Hypothesis | None:
    """What the recogniser alone would have preferred, where that is not the best now."""
    judged = [(h.agreement.decoded, h) for h in transcript.hypotheses if h.agreement is not None]
    if not judged:
        return None
    first = max(judged, key=lambda pair: pair[0])[1]
    return None if first is transcript.hypotheses[0] else first


def agrees(h: Hypothesis) -> float:
    """How much the sound agrees, as a probability."""
    return probability(RIGHT_ALONE, {"right": h.agreement.right if h.agreement else 0.0})


def compared(best: Hypothesis, first: Hypothesis, fusion: Fusion) -> tuple[float, float]:
    """How much the sound agrees with the best and with what the recogniser preferred, as probabilities.

    Where the net for sound alone had a say, it is what all nets together say of these two, which is 1 in sum.
    """
    a, b = best.agreement, first.agreement
    if a is None or b is None or a.sound is None or b.sound is None:
        return agrees(best), agrees(first)
    ahead = probability(RIGHT_ALONE, {"right": added(a, fusion) - added(b, fusion)})
    return ahead, 1.0 - ahead


def capped(logit: float) -> float:
    """A logit beyond which nothing more is meant."""
    return min(max(logit, -LOGIT_CAP), LOGIT_CAP)
