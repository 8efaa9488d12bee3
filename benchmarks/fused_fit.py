"""Fits how a net's answers count (assistant.types.Fusion) on half A of the recordings.

weight       the one with the most orders heard strictly right, fewer in no noise; 0 where it gains less than LEAST_GAIN
sound_weight the same rule; of a bundle with a net for sound alone, whose variant is not one of QUICK
confidence   logistic in CONFIDENCE_VALUES, and what that net says: is the best meaning what was said
whole        logistic in WHOLE_VALUES: an order alone, against orders cut in half or talked into and foreign speech
doubt        KEPT of the orders at 6 dB that are heard strictly right, and all clean ones, are not asked about
offer        at most FOREIGN_OFFERED of the foreign speech that scores too low is asked about
taken        no order that is heard strictly right, whatever the noise, stops counting as heard

What depends on how long the sentences of a context are is left out, so that the numbers hold for other contexts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from assistant.grammar.tree import Context
from assistant.types import Fusion, Transcript
from assistant.understand.calibration import fit_weights
from assistant.understand.decide import rivals
from assistant.understand.fused import fuse
from benchmarks.fused import Judged
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, Case
from benchmarks.scoring import mark
from benchmarks.systems import Answer

WEIGHTS = tuple(np.arange(0, 2.01, 0.25).tolist())
"""A larger weight lets a logit outvote clean sound."""
CAPS = (2.0, 4.0, 8.0)
SOUND_WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
QUICK = ("tiny",)
"""Variants that go without the net for sound alone: it takes longer than all that they do."""
CONFIDENCE_VALUES = tuple(value for value in fuse.VALUES if value != "length")
WHOLE_VALUES = ("mean", "end", "right", "whole")
KEPT = 0.97
FOREIGN_OFFERED = 0.002
LEAST_OFFER = 0.5
LEAST_GAIN = 3
MOST_TAKEN = 0.5
KEPT_CONDITION = "kitchen 6 dB"
ALONE_CONDITIONS = ("clean", "kitchen 12 dB", "kitchen 6 dB", "kitchen 3 dB")
"""Conditions in which an order counts as said alone; in babble somebody else does speak."""


def fit(judged: Sequence[Judged], name: str, context: Context, ranking: Fusion | None = None) -> Fusion:
    """The numbers for the net `name`, from half A of `judged`.

    ranking: of a net that was made for another context. Its weight, cap and offer are of that context's commands and
    stay; how it doubts is learnt from real speech.
    """
    half = [row for row in judged if row.case.fits and name in row.logits]
    orders = [row for row in half if row.case.kind == ORDERS]
    kept = Fusion(ranking.weight, ranking.right_cap, sound_weight=ranking.sound_weight) if ranking else None
    fusion = kept or fit_weight(orders, name)
    heard_too = fuse.SOUND_VALUES if all(name in row.sound for row in half) else ()
    used = (*CONFIDENCE_VALUES, *heard_too)
    fusion = replace(fusion, confidence=_logistic(half, name, fusion, context, used, is_true))
    alone = [row for row in orders if row.case.group in ALONE_CONDITIONS and _strictly(row, name, fusion)]
    broken = [row for row in half if row.case.kind != ORDERS and not _said_so_far(row, name, fusion)]
    bounds = _logistic([*alone, *broken], name, fusion, context, WHOLE_VALUES, lambda case, _: case.kind == ORDERS)
    fusion = replace(fusion, whole=bounds)
    offer = ranking.offer if ranking else _offer(half, name, fusion, context)
    fusion = replace(fusion, doubt=_doubt(alone, name, fusion, context), offer=offer)
    heard = [values_of(row, name, fusion, context) for row in orders if _strictly(row, name, fusion)]
    stated = [fuse.confidence(of, fusion) for of in heard]
    return replace(fusion, taken=min([MOST_TAKEN, *stated]))


def _doubt(alone: Sequence[Judged], name: str, fusion: Fusion, context: Context) -> float:
    def stated(group: str) -> list[float]:
        rows = [row for row in alone if row.case.group == group]
        return [fuse.whole(values_of(row, name, fusion, context), fusion) for row in rows]

    return float(min(np.quantile(stated(KEPT_CONDITION), 1 - KEPT), *stated("clean")))


def _offer(half: Sequence[Judged], name: str, fusion: Fusion, context: Context) -> float:
    """Just above what all but FOREIGN_OFFERED of foreign speech reach."""
    foreign = [row for row in half if row.case.kind == FOREIGN]
    stated = sorted((fuse.confidence(values_of(row, name, fusion, context), fusion) for row in foreign), reverse=True)
    allowed = int(FOREIGN_OFFERED * len(stated))
    return max(stated[allowed] + 1e-6, LEAST_OFFER) if allowed < len(stated) else LEAST_OFFER


def fit_weight(orders: Sequence[Judged], name: str) -> Fusion:
    """The weights, and the cap of `right`, with which most `orders` are heard strictly right."""

    def count(fusion: Fusion) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in orders:
            counts[row.case.group] = counts.get(row.case.group, 0) + _strictly(row, name, fusion)
        return counts

    alone = count(Fusion())
    best, most = Fusion(), sum(alone.values()) + LEAST_GAIN - 1
    by_sound = SOUND_WEIGHTS if any(name in row.sound for row in orders) else (0.0,)
    for cap, weight, sound_weight in itertools.product(CAPS, WEIGHTS, by_sound):
        fusion = Fusion(weight=weight, right_cap=cap, sound_weight=sound_weight)
        counts = count(fusion)
        total = sum(counts.values())
        if total > most and all(counts[group] >= alone[group] for group in alone):
            best, most = fusion, total
    return best


def values_of(row: Judged, name: str, fusion: Fusion, context: Context) -> dict[str, float]:
    """The values of fuse.py for the best meaning."""
    transcript = row.with_net(name, fusion)
    return fuse.values(transcript.hypotheses[0], rivals(transcript, context))


def is_true(case: Case, transcript: Transcript) -> bool:
    """Whether the best meaning was said: of an order cut in half, whether it holds nothing that was not."""
    best = transcript.hypotheses[0]
    if case.order is None:
        return False
    if case.kind == HALVES:
        return all(case.order.slots.get(slot) == value for slot, value in best.slots.items())
    return mark(Answer(best.text, best.intent, best.slots), case.order).decoded_strict


def is_strict(case: Case, transcript: Transcript) -> bool:
    """Whether it is an order and the best meaning is strictly right."""
    best = transcript.hypotheses[0]
    answer = Answer(best.text, best.intent, best.slots)
    return case.kind == ORDERS and case.order is not None and mark(answer, case.order).decoded_strict


def _strictly(row: Judged, name: str, fusion: Fusion) -> bool:
    return is_strict(row.case, row.with_net(name, fusion))


def _said_so_far(row: Judged, name: str, fusion: Fusion) -> bool:
    """Of an order cut in half: the best meaning holds nothing that was not said."""
    return row.case.kind == HALVES and is_true(row.case, row.with_net(name, fusion))


def _logistic(
    rows: Sequence[Judged],
    name: str,
    fusion: Fusion,
    context: Context,
    used: Sequence[str],
    truth: Callable[[Case, Transcript], bool],
) -> dict[str, float]:
    every = [values_of(row, name, fusion, context) for row in rows]
    x: NDArray[np.float64] = np.array([[of[value] for value in used] for of in every])
    y: NDArray[np.bool_] = np.array([truth(row.case, row.with_net(name, fusion)) for row in rows], bool)
    bias, weights = fit_weights(x, y)
    return {fuse.BIAS: bias} | dict(zip(used, weights.tolist(), strict=True))
