"""How a net's answers count beside the recogniser's scores: weight, probabilities and bounds, fitted on one half.

weight       most meanings strictly right, the smaller weight where it makes no difference
confidence   P(the best meaning is strictly right), logistic in fuse.VALUES
whole        P(all of it was said to the assistant, and nothing else), logistic
doubt        the bound of `whole` that keeps 97 of 100 true sentences in noise
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.types import Fusion, Transcript
from assistant.understand.fused.fuse import BIAS, VALUES, fuse, probability, values
from benchmarks.fused_clips import ORDERS
from convert.examples import CLEAN, Example, Seen

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
KEPT = 0.97
"""Share of true sentences in moderate noise that must not be asked about."""
KEPT_GROUPS = ("kitchen 6 dB", "5 to 10 dB")
CROWDED = "babble"
"""Where others talk all the time a question is right, however true the sentence: nothing to learn `whole` from."""
WHOLE_VALUES = tuple(value for value in VALUES if value not in ("apart", "strained"))
"""What sets a meaning apart from its rivals says nothing of what was said besides."""
RIDGE = 0.02

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One example after re-ranking. best: which of the example's hypotheses; values: fuse.VALUES of it."""

    example: Example
    best: int
    values: Mapping[str, float]

    @property
    def strict(self) -> bool:
        """Whether the best meaning is exactly what was said."""
        return self.example.strict[self.best]

    @property
    def right(self) -> bool:
        """Whether it is at least that."""
        return self.example.right[self.best]


def judge(seen: Seen, right: Floats, whole: Floats, fusion: Fusion) -> list[Judged]:
    """Every example re-ranked as the device does it. right, whole: the net's logits for the rows of `seen`."""
    found = []
    for i, example in enumerate(seen.examples):
        rows = slice(seen.first[i], seen.first[i + 1])
        fused = fuse(example.transcript, right[rows].tolist(), whole[rows].tolist(), fusion, "")
        best = _index(example.transcript, fused)
        found.append(Judged(example, best, values(fused.hypotheses[0], fused.hypotheses[1:])))
    return found


def fit(seen: Seen, right: Floats, whole: Floats) -> Fusion:
    """The numbers for one net, from the examples that are to calibrate on."""
    weight = best_weight(seen, right)
    plain = Fusion(weight=weight)
    rows = [j for j in judge(seen, right, whole, plain) if j.example.fits]
    meant = [j for j in rows if j.example.kind == ORDERS]
    confidence = logistic(meant, [j.strict for j in meant], VALUES)
    known = [j for j in rows if (j.strict or j.example.kind != ORDERS) and not j.example.group.startswith(CROWDED)]
    bounds = logistic(known, [j.example.kind == ORDERS for j in known], WHOLE_VALUES)
    return Fusion(weight, plain.right_cap, confidence, bounds, doubt_of(meant, bounds))


def best_weight(seen: Seen, right: Floats) -> float:
    """The weight of `right` with most strictly right meanings, and none lost where there is no noise.

    A nat more must bring a sentence more: what is left to repair is little, and a large weight repairs by chance.
    """
    counts: dict[float, tuple[int, int]] = {}
    for weight in WEIGHTS:
        clean = noisy = 0
        for i, example in enumerate(seen.examples):
            if example.fits and example.kind == ORDERS:
                hit = example.strict[best_of(example, right[seen.first[i] : seen.first[i + 1]], weight)]
                clean += hit and example.group == CLEAN
                noisy += hit and example.group != CLEAN
        counts[weight] = (clean, noisy)
    unharmed = [w for w in WEIGHTS if counts[w][0] >= counts[0.0][0]]
    return max(unharmed, key=lambda w: (counts[w][1] - w, -w))


def best_of(example: Example, right: Floats, weight: float, cap: float = Fusion().right_cap) -> int:
    """Which hypothesis is best at a weight (fuse.rank_again, without making objects)."""
    scores = np.array([h.rerank for h in example.transcript.hypotheses])
    logits = np.clip(np.concatenate([right, np.full(len(scores) - len(right), right.min())]), -cap, cap)
    return int(np.argmax(scores + weight * logits))


def doubt_of(meant: Sequence[Judged], bounds: Mapping[str, float]) -> float:
    """The bound that keeps KEPT of the true sentences in moderate noise."""
    kept = [j for j in meant if j.strict and j.example.group in KEPT_GROUPS]
    stated = [probability(bounds, j.values) for j in kept or meant]
    return float(np.quantile(stated, 1 - KEPT)) if stated else 0.0


def logistic(rows: Sequence[Judged], truth: Sequence[bool], names: Sequence[str]) -> dict[str, float]:
    """Bias and weights of a ridge logistic regression on standardised values, by Newton's method; both sides needed."""
    y = np.array(truth, np.float64)
    if len(y) == 0 or y.all() or not y.any():
        return {}
    x = np.array([[row.values[name] for name in names] for row in rows], np.float64)
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / scale])
    penalty = RIDGE * len(x) / 10 * np.r_[0.0, np.ones(len(names))]
    w = np.zeros(z.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -40, 40)))
        hessian = (z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, z.T @ (p - y) + penalty * w)
        w -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    weights = w[1:] / scale
    return {BIAS: float(w[0] - weights @ mean)} | dict(zip(names, map(float, weights), strict=True))


def _index(before: Transcript, after: Transcript) -> int:
    """Where the best of `after` stood in `before`."""
    best = after.hypotheses[0]
    return next(i for i, h in enumerate(before.hypotheses) if h.tokens is best.tokens)
