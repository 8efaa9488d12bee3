"""Fits the shipped calibration (assistant/understand/calibration.py, DEFAULT) on half A of the recordings.

`heard`, was it said to us, is logistic in the score per token alone: over many contexts nothing else helps. `right`, is
the meaning strictly right, uses all features and only speech that was meant. The thresholds are put into the middle of
the gap between foreign and meant speech, because people in other contexts score lower than these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.grammar.tree import Context
from assistant.understand.calibration import DEFAULT, FEATURES, Calibration, Logistic, features, fit_logistic
from assistant.understand.decide import rivals
from benchmarks.refuse import Case, Cases
from benchmarks.scoring import mark
from benchmarks.systems import decided

FOREIGN_ACCEPTED = 0.005
"""Share of foreign speech of half A above the lower edge of the gap (the target is 0.01, on half B)."""
KEPT = (("clean", 0.98), ("kitchen 6 dB", 0.96))
"""Share of orders above the upper edge."""


@dataclass(frozen=True, slots=True)
class Fit:
    """calibration: the fitted numbers. foreign_edge, meant_edge: scores per token between which the threshold lies."""

    calibration: Calibration
    foreign_edge: float
    meant_edge: float
    examples: Mapping[str, int]


def fit(cases: Cases, contexts: Mapping[str, Context]) -> Fit:
    """Fit on half A of `cases`."""
    meant = [*_half_a(cases.orders), *_half_a(cases.commands)]
    foreign = _half_a(cases.foreign)

    def x(rows: Sequence[Case]) -> Any:
        return np.array([_features(case, contexts[case.context]) for case in rows], dtype=float)

    x_meant, x_foreign = x(meant), x(foreign)
    both = np.concatenate([x_meant, x_foreign])
    truth = np.arange(len(both)) < len(meant)
    heard = fit_logistic(both, truth, used=("per_token",))
    right = fit_logistic(x_meant, np.array([_right(case, contexts[case.context]) for case in meant]))
    foreign_edge, meant_edge = _gap(cases, contexts)
    refuse, doubt = _thresholds(heard, foreign_edge, meant_edge)
    calibration = Calibration(heard, right, refuse, doubt, DEFAULT.ask_margin)
    return Fit(calibration, foreign_edge, meant_edge, {"meant": len(meant), "foreign": len(foreign)})


def _gap(cases: Cases, contexts: Mapping[str, Context]) -> tuple[float, float]:
    """Scores per token: what foreign speech hardly reaches in any context, what orders hardly fall below."""

    def scores(rows: Sequence[Case]) -> list[float]:
        return [_features(case, contexts[case.context])[FEATURES.index("per_token")] for case in rows]

    foreign = _half_a(cases.foreign)
    low = max(
        float(np.quantile(scores([case for case in foreign if case.context == name]), 1 - FOREIGN_ACCEPTED))
        for name in contexts
    )
    orders = _half_a(cases.orders)
    high = min(
        float(np.quantile(scores([case for case in orders if case.group == group]), 1 - kept)) for group, kept in KEPT
    )
    return low, high


def _thresholds(heard: Logistic, low: float, high: float) -> tuple[float, float]:
    """(refuse, doubt) as probabilities: doubt in the middle of the gap, refuse a quarter into it.

    Where the sides overlap (high < low) both are the lower edge that keeps the orders.
    """

    def probability(score: float) -> float:
        return heard.probability((score, *(0.0 for _ in FEATURES[1:])))

    if high <= low:
        return probability(high), probability(high)
    return probability(low + (high - low) / 4), probability((low + high) / 2)


def paste(fitted: Fit) -> str:
    """The fitted numbers as they stand in assistant/understand/calibration.py."""
    c = fitted.calibration

    def logistic(value: Logistic) -> str:
        weights = ", ".join(f"{w:.4g}" for w in value.weights)
        return f"Logistic({value.bias:.4g}, ({weights}))"

    return (
        "DEFAULT = Calibration(\n"
        f"    heard={logistic(c.heard)},\n    right={logistic(c.right)},\n"
        f"    refuse={c.refuse:.3f},\n    doubt={c.doubt:.3f},\n    ask_margin={c.ask_margin},\n)"
    )


def _half_a(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.fits and case.transcript.hypotheses]


def _features(case: Case, context: Context) -> tuple[float, ...]:
    return features(case.transcript.hypotheses[0], rivals(case.transcript, context))


def _right(case: Case, context: Context) -> bool:
    assert case.order is not None
    return mark(decided(case.transcript, context), case.order).decoded_strict
