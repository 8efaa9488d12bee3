"""A second look at what is doubtful: the best meanings are scored again on further views of the same sound.

Where two meanings score nearly the same, chance decides how noise falls into the encoder's frames. Played a little
slower and a little faster the words stay the same and the noise falls otherwise, so the mean over the views errs less.
Clear speech is told apart at first sight and is not looked at again. Measured by `assistant bench home` (docs/home.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from assistant.recognize.moonshine.columns import log_sum_exp
from assistant.recognize.moonshine.model import Encoded, Model
from assistant.recognize.moonshine.tokenizer import END, START
from assistant.types import Hypothesis

SPEEDS = (20 / 21, 20 / 19)
"""Of the further views: five per cent slower and faster."""
WEIGHT = 0.3
"""Of each further view; the first sight keeps the rest."""
DOUBTFUL = 6.0
"""Nats between the best two meanings below which it looks again."""
LOOKED_AT = 8
"""Meanings, at most."""

Floats = NDArray[np.float32]


def doubtful(hypotheses: Sequence[Hypothesis]) -> bool:
    """Whether the best two meanings are so near each other that a second look may change their order."""
    best = hypotheses[:2]
    return len(best) == 2 and best[0].rerank - best[1].rerank < DOUBTFUL


def look_again(
    model: Model, pcm: Floats, sound: Encoded, hypotheses: tuple[Hypothesis, ...], stop: Callable[[], bool]
) -> tuple[Hypothesis, ...]:
    """`hypotheses`, best first, their `rerank` a mean over all views of `pcm` (float32, ±1, 16 kHz), best first again.

    sound: `pcm` as it was encoded. It is scored here, too: the search counted other words among those possible.
    Meanings with free words were scored among more words than this looks at: where there are any, nothing changes, as
    where `stop` says in between that there is no more time.
    """
    seen = hypotheses[:LOOKED_AT]
    if any(h.spelt for h in seen):
        return hypotheses
    sentences = [h.tokens for h in seen]
    first = scores(model, sound, sentences)
    change = np.zeros(len(seen))
    for speed in SPEEDS:
        if stop():
            return hypotheses
        view = np.asarray(soxr.resample(pcm, speed, 1.0, quality="HQ"), np.float32)
        change += WEIGHT * (scores(model, model.encode(view), sentences) - first)
    # What was not looked at moves as the least of what was: it was less likely before.
    rest = float(change.min())
    changes = [*change.tolist(), *[rest] * (len(hypotheses) - len(seen))]
    again = (replace(h, rerank=h.rerank + c) for h, c in zip(hypotheses, changes, strict=True))
    return tuple(sorted(again, key=lambda h: -h.rerank))


def scores(model: Model, sound: Encoded, sentences: Sequence[NDArray[np.int32]]) -> NDArray[np.float64]:
    """Sum of log p of each token sequence on `sound`, nats: all in one batch, each token given."""
    count, steps = len(sentences), max(map(len, sentences))
    tokens = np.full((count, steps), END, np.int64)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence)] = sentence
    known = np.arange(steps) < np.array([len(sentence) for sentence in sentences])[:, None]
    rare = np.unique(tokens[model.column[tokens] < 0])
    extra = model.columns_of(rare.astype(np.int32)) if len(rare) else None
    column = model.column.copy()
    column[rare] = len(model.vocabulary) + np.arange(len(rare), dtype=np.int32)
    total, past = np.zeros(count), model.begin()
    fed, parents = np.full(count, START, np.int64), np.zeros(count, np.int64)
    for at in range(steps):
        step = model.step(sound, fed, parents, at, past)
        logits = step.logits if extra is None else np.concatenate([step.logits, step.hidden @ extra], axis=1)
        log_p = logits[np.arange(count), column[tokens[:, at]]] - log_sum_exp(logits)
        total += np.where(known[:, at], log_p, 0.0)
        past, fed, parents = step.past, tokens[:, at], np.arange(count, dtype=np.int64)
    return total
