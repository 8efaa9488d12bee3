"""What is left of the default recogniser's answer when only words, times and shares are told, as Vosk tells them.

So a net for recognisers without states can learn from takes that were heard by one that has them; and what the states
and the token scores are worth can be measured on the same takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assistant.types import Hypothesis, Word

SPOKEN = (0.1, 0.9)
"""A word lasts from where this share of its tokens' attention was seen to where that was."""


def timed(
    h: Hypothesis, words: Sequence[str], owner: Sequence[int], start_s: float, frame_s: float
) -> tuple[Word, ...]:
    """The words of `h` with times, in order and without overlap. owner: the number of each token's word, -1: none."""
    assert h.attention is not None
    found, before_s = [], start_s
    for number, text in enumerate(words):
        rows = [row for row, at in zip(h.attention, owner, strict=True) if at == number]
        mass = np.cumsum(np.sum(rows, axis=0))
        first, last = (int(np.searchsorted(mass, share * mass[-1])) for share in SPOKEN)
        begin_s = max(start_s + first * frame_s, before_s)
        before_s = max(start_s + (last + 1) * frame_s, begin_s + frame_s)
        found.append(Word(text, begin_s, before_s))
    return tuple(found)


def bare(hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Those with words; scores are the natural log of their share of the n-best, confidences the share that agrees."""
    if not hypotheses:
        return ()
    scores = np.array([h.rerank for h in hypotheses])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    kept = [(h, float(share)) for h, share in zip(hypotheses, shares, strict=True) if h.words]
    return tuple(
        replace(
            h,
            score=float(np.log(max(share, 1e-9))),
            rerank=float(np.log(max(share, 1e-9))),
            words=tuple(replace(word, confidence=_agreeing(word, kept)) for word in h.words),
        )
        for h, share in kept
    )


def _agreeing(word: Word, kept: Sequence[tuple[Hypothesis, float]]) -> float:
    """The share of those that have the same word at the same time."""
    middle_s = (word.start_s + word.end_s) / 2
    shares = [
        share
        for h, share in kept
        if any(other.text == word.text and other.start_s <= middle_s <= other.end_s for other in h.words)
    ]
    return min(sum(shares), 1.0)
