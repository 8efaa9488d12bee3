"""What a net is worth: counts by condition, with and without it, on the examples that nothing was calibrated on.

All figures are of the half that is not `fits`, unless a table says "all".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.types import Fusion
from assistant.understand.calibration import expected_calibration_error
from assistant.understand.fused.fuse import confidence, whole
from benchmarks.fused_clips import FOREIGN, HALVES, ORDERS, TAILS
from benchmarks.scoring import auc, share, shares_by_bin
from convert.calibrate import Judged, judge
from convert.examples import Seen

Floats = NDArray[np.float32]
UNSURE_SHARE = 0.15


def figures(seen: Seen, right: Floats, sound_whole: Floats, fusion: Fusion) -> dict[str, Any]:
    """All figures of one net with its numbers."""
    after = judge(seen, right, sound_whole, fusion)
    held = [j for j in after if not j.example.fits]
    before = {id(e): (e.strict[0], e.right[0]) for e in seen.examples}
    orders = [j for j in held if j.example.kind == ORDERS]
    return {
        "orders": {group: _reranked(rows, before, fusion) for group, rows in _grouped(orders).items()},
        "orders, both halves": {
            group: _reranked(rows, before, fusion)
            for group, rows in _grouped([j for j in after if j.example.kind == ORDERS]).items()
        },
        "halves": _halves([j for j in held if j.example.kind == HALVES], fusion),
        "tails": _accepted([j for j in held if j.example.kind == TAILS], fusion),
        "foreign": _accepted([j for j in held if j.example.kind == FOREIGN], fusion),
        "confidence": _honesty(orders, fusion),
        "weight": fusion.weight,
        "doubt": fusion.doubt,
    }


def agreement(one: Sequence[Judged], other: Sequence[Judged], fusions: tuple[Fusion, Fusion]) -> dict[str, Any]:
    """How often two nets decide the same: the meaning, and whether to ask."""
    same_best = [a.best == b.best for a, b in zip(one, other, strict=True)]
    asked = [
        (whole(a.values, fusions[0]) < fusions[0].doubt) == (whole(b.values, fusions[1]) < fusions[1].doubt)
        for a, b in zip(one, other, strict=True)
    ]
    return {
        "same_meaning": share(same_best),
        "same_decision": share([m and a for m, a in zip(same_best, asked, strict=True)]),
    }


def headline(found: Mapping[str, Any]) -> dict[str, Any]:
    """The few numbers that a manifest keeps."""
    orders = {
        group: {key: row[key] for key in ("n", "decoder_strict", "strict", "in_n_best", "gained", "lost")}
        for group, row in found["orders"].items()
    }
    return {
        "orders": orders,
        "halves_invented": _short(found["halves"]["invented"]),
        "tails": _short(found["tails"]),
        "foreign": _short(found["foreign"]),
        "auc": found["confidence"].get("auc"),
        "ece": found["confidence"].get("ece"),
    }


def _short(counted: Mapping[str, Any]) -> dict[str, int]:
    return {"count": int(counted["count"]), "n": int(counted["n"])}


def _grouped(rows: Sequence[Judged]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for row in rows:
        groups.setdefault(row.example.group, []).append(row)
    return groups


def _reranked(rows: Sequence[Judged], before: Mapping[int, tuple[bool, bool]], fusion: Fusion) -> dict[str, Any]:
    old = [before[id(j.example)] for j in rows]
    gained = sum(j.strict and not strict for j, (strict, _) in zip(rows, old, strict=True))
    lost = sum(strict and not j.strict for j, (strict, _) in zip(rows, old, strict=True))
    true = [j for j in rows if j.strict]
    return {
        "n": len(rows),
        "decoder_strict": sum(strict for strict, _ in old),
        "decoder_right": sum(right for _, right in old),
        "strict": sum(j.strict for j in rows),
        "right": sum(j.right for j in rows),
        "in_n_best": sum(any(j.example.strict) for j in rows),
        "gained": gained,
        "lost": lost,
        "true_kept": share([whole(j.values, fusion) >= fusion.doubt for j in true]),
    }


def _accepted(rows: Sequence[Judged], fusion: Fusion) -> dict[str, Any]:
    return share([whole(j.values, fusion) >= fusion.doubt for j in rows])


def _halves(rows: Sequence[Judged], fusion: Fusion) -> dict[str, Any]:
    """Sentences that were cut: what was completed by invention, and what is true as far as it goes."""
    return {
        "invented": _accepted([j for j in rows if not j.example.prefix[j.best]], fusion),
        "true_prefix": _accepted([j for j in rows if j.example.prefix[j.best]], fusion),
    }


def _honesty(rows: Sequence[Judged], fusion: Fusion) -> dict[str, Any]:
    """How well the stated confidence parts right from wrong, and how true it is."""
    stated = [confidence(j.values, fusion) for j in rows]
    true = [j.strict for j in rows]
    if not rows or all(true) or not any(true):
        return {"n": len(rows)}
    positive = [p for p, t in zip(stated, true, strict=True) if t]
    negative = [p for p, t in zip(stated, true, strict=True) if not t]
    order = np.argsort(stated, kind="stable")[: round(UNSURE_SHARE * len(rows))]
    return {
        "n": len(rows),
        "auc": round(float(auc(positive, negative)), 4),
        "ece": round(float(expected_calibration_error(np.array(stated), np.array(true))), 4),
        "wrong": len(negative),
        "wrong_among_unsure": int(sum(not true[i] for i in order)),
        "bins": shares_by_bin(stated, true),
    }
