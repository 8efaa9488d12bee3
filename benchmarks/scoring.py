"""Right, strictly right, and how sure that is: the public rule of the speech-to-intent benchmark, and intervals.

Right: accepted, the label's intent, and every slot of the label has its value. Strictly right: no other slot besides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Order
from benchmarks.systems import Answer

Z_95 = 1.959964
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Mark:
    """One answer against its label. decoded_right, decoded_strict: what it would be if nothing were refused."""

    right: bool
    strict: bool
    accepted: bool
    asked: bool
    decoded_right: bool
    decoded_strict: bool


def mark(answer: Answer, order: Order) -> Mark:
    """Score `answer`."""
    slots = {name: value for name, value in answer.slots.items() if value not in (None, "")}
    right = same_value(answer.intent, order.intent) and all(
        same_value(slots.get(name, ""), value) for name, value in order.slots.items()
    )
    strict = right and not set(slots) - set(order.slots)
    return Mark(right and answer.accepted, strict and answer.accepted, answer.accepted, answer.asked, right, strict)


def same_value(one: object, other: object) -> bool:
    """Whether two slot values are the same: case, hyphens and spaces do not matter."""
    return _plain(one) == _plain(other)


def _plain(value: object) -> str:
    return re.sub(r"[\s_-]+", " ", str(value)).strip().lower()


def share(marks: Sequence[Any]) -> dict[str, Any]:
    """How many of `marks` are true: count, n, rate and its 95 % Wilson interval."""
    low, high = wilson(sum(map(bool, marks)), len(marks))
    count = sum(map(bool, marks))
    return {"count": count, "n": len(marks), "rate": count / max(len(marks), 1), "interval": [low, high]}


def wilson(count: int, n: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    p = count / n
    centre = p + Z_95**2 / (2 * n)
    half = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2))
    scale = 1 + Z_95**2 / n
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def mean_of_levels(levels: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """Mean rate over conditions; the 95 % interval draws whole recordings, since each is heard at every level.

    levels: for each condition the marks of the same recordings in the same order.
    """
    table = np.array(levels, dtype=float)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, table.shape[1], (RESAMPLES, table.shape[1]))
    means = np.sort(table.mean(axis=0)[drawn].mean(axis=1))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return {"rate": float(table.mean()), "n": table.shape[1], "interval": [float(low), float(high)]}


def paired(ours: Sequence[bool], theirs: Sequence[bool]) -> dict[str, Any]:
    """Recordings that only one of two got right, and the exact two-sided p of McNemar's test."""
    only_ours = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    only_theirs = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    n, k = only_ours + only_theirs, min(only_ours, only_theirs)
    p = min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0
    return {"only_ours": only_ours, "only_theirs": only_theirs, "p": p}


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann and Whitney 1947)."""
    joined = np.concatenate([positives, negatives])
    _, inverse, counts = np.unique(joined, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = len(positives), len(negatives)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and mean, each rounded to a tenth, and the count."""
    array: NDArray[np.float64] = np.array(values, dtype=float)
    if not len(array):
        return {"n": 0}
    p50, p95 = np.percentile(array, [50, 95])
    return {
        "n": len(array),
        "p50": round(float(p50), 1),
        "p95": round(float(p95), 1),
        "mean": round(float(array.mean()), 1),
    }


def shares_by_bin(p: Sequence[float], y: Sequence[bool], bins: int = 10) -> list[Mapping[str, float]]:
    """For a reliability plot: per bin of stated probability its mean, the true share and the count."""
    stated, true = np.array(p, float), np.array(y, float)
    index = np.minimum((stated * bins).astype(int), bins - 1)
    rows = [(stated[index == b], true[index == b]) for b in range(bins)]
    return [{"stated": float(s.mean()), "true": float(t.mean()), "n": len(s)} for s, t in rows if len(s)]
