"""Fits how a net's answers count (assistant.types.Fusion) on half A of the recordings.

weight       the one with the most orders heard strictly right in all noises, none lost clean; the smallest of equals
confidence   logistic in the values of fuse.py: is the best meaning strictly right, over orders and foreign speech
whole        the same: an order alone, against orders cut in half and orders talked into
doubt        so that KEPT of the orders at 6 dB that are heard strictly right are not asked about
"""

from __future__ import annotations

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
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, TAILS, Case
from benchmarks.scoring import mark
from benchmarks.systems import Answer

WEIGHTS = tuple(np.arange(0, 4.01, 0.25).tolist())
CAPS = (2.0, 4.0, 8.0)
KEPT = 0.98
KEPT_CONDITION = "kitchen 6 dB"
ALONE_CONDITIONS = ("clean", "kitchen 12 dB", "kitchen 6 dB", "kitchen 3 dB")
"""Conditions in which an order counts as said alone; in babble somebody else does speak."""


def fit(judged: Sequence[Judged], name: str, context: Context) -> Fusion:
    """The numbers for the net `name`, from half A of `judged`."""
    half = [row for row in judged if row.case.fits and name in row.logits]
    orders = [row for row in half if row.case.kind == ORDERS]
    fusion = fit_weight(orders, name)
    confidence = _logistic(
        [row for row in half if row.case.kind in (ORDERS, FOREIGN)], name, fusion, context, is_strict
    )
    fusion = replace(fusion, confidence=confidence)
    alone = [row for row in orders if row.case.group in ALONE_CONDITIONS and _strictly(row, name, fusion)]
    broken = [row for row in half if row.case.kind in (HALVES, TAILS) and not _said_so_far(row, name, fusion)]
    fusion = replace(
        fusion, whole=_logistic([*alone, *broken], name, fusion, context, lambda case, _: case.kind == ORDERS)
    )
    kept = [row for row in alone if row.case.group == KEPT_CONDITION]
    stated = [fuse.whole(values_of(row, name, fusion, context), fusion) for row in kept]
    return replace(fusion, doubt=float(np.quantile(stated, 1 - KEPT)))


def fit_weight(orders: Sequence[Judged], name: str) -> Fusion:
    """The weight and cap of `right` with which most `orders` are heard strictly right."""
    best, most = Fusion(), -1
    clean = [row for row in orders if row.case.group == "clean"]
    reached = sum(_strictly(row, name, Fusion()) for row in clean)
    for cap in CAPS:
        for weight in WEIGHTS:
            fusion = Fusion(weight=weight, right_cap=cap)
            if sum(_strictly(row, name, fusion) for row in clean) < reached:
                continue
            count = sum(_strictly(row, name, fusion) for row in orders)
            if count > most:
                best, most = fusion, count
    return best


def values_of(row: Judged, name: str, fusion: Fusion, context: Context) -> dict[str, float]:
    """The values of fuse.py for the best meaning."""
    transcript = row.with_net(name, fusion)
    return fuse.values(transcript.hypotheses[0], rivals(transcript, context))


def is_strict(case: Case, transcript: Transcript) -> bool:
    """Whether it is an order and the best meaning is strictly right."""
    best = transcript.hypotheses[0]
    answer = Answer(best.text, best.intent, best.slots)
    return case.kind == ORDERS and case.order is not None and mark(answer, case.order).decoded_strict


def _strictly(row: Judged, name: str, fusion: Fusion) -> bool:
    return is_strict(row.case, row.with_net(name, fusion))


def _said_so_far(row: Judged, name: str, fusion: Fusion) -> bool:
    """Of an order cut in half: the best meaning holds nothing that was not said."""
    if row.case.kind != HALVES or row.case.order is None:
        return False
    slots, said = row.with_net(name, fusion).hypotheses[0].slots, row.case.order.slots
    return all(said.get(slot) == value for slot, value in slots.items())


def _logistic(
    rows: Sequence[Judged],
    name: str,
    fusion: Fusion,
    context: Context,
    truth: Callable[[Case, Transcript], bool],
) -> dict[str, float]:
    x: NDArray[np.float64] = np.array([list(values_of(row, name, fusion, context).values()) for row in rows])
    y: NDArray[np.bool_] = np.array([truth(row.case, row.with_net(name, fusion)) for row in rows], bool)
    bias, weights = fit_weights(x, y)
    return {fuse.BIAS: bias} | dict(zip(fuse.VALUES, weights.tolist(), strict=True))
