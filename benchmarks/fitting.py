"""Fits the shipped calibration (assistant/understand/calibration.py, DEFAULT) on half A of the recordings.

`heard`, was it said to us, is logistic in the score per token alone: over many contexts nothing else helps. `right`, is
the meaning strictly right, uses all features and only speech that was meant. The thresholds lie where foreign speech
ends in each context, not in the middle between it and clean orders: what is said in noise, and by people rather than
voices, scores in between. The more a grammar can say, the better some of it fits foreign speech: each shipped context
has thresholds of its own, and one that has none gets the strictest.
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

FOREIGN_ASKED, FOREIGN_ACCEPTED = 0.005, 0.002
"""Shares of foreign speech, in a context, that may lead to a question and to an action."""
KEPT = (("clean", 0.98), ("kitchen 6 dB", 0.96))
"""Shares of orders that must lie above both thresholds."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Scores per token in one context: what FOREIGN_ASKED and FOREIGN_ACCEPTED of foreign speech reach in it, and what
    is said to it on purpose hardly falls below.
    """

    asked: float
    accepted: float
    meant: float


@dataclass(frozen=True, slots=True)
class Fit:
    """calibration: the numbers for any context: both logistics, and the strictest thresholds found.

    contexts: the same with each context's own thresholds, and `edges`, what they are made of. examples: how many were
    fitted on.
    """

    calibration: Calibration
    contexts: Mapping[str, Calibration]
    edges: Mapping[str, Edges]
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
    edges = {name: _edges(cases, contexts, name) for name in contexts}
    own = {name: Calibration(heard, right, *_thresholds(heard, e), DEFAULT.ask_margin) for name, e in edges.items()}
    refuse, doubt = (max(getattr(c, bound) for c in own.values()) for bound in ("refuse", "doubt"))
    strictest = Calibration(heard, right, refuse, doubt, DEFAULT.ask_margin)
    return Fit(strictest, own, edges, {"meant": len(meant), "foreign": len(foreign)})


def _edges(cases: Cases, contexts: Mapping[str, Context], name: str) -> Edges:
    """The edges of the context called `name` on half A."""

    def scores(rows: Sequence[Case]) -> list[float]:
        return [_features(case, contexts[case.context])[FEATURES.index("per_token")] for case in rows]

    # Where nothing in the context fits there is no score: that is refused anyway and counts as reaching nothing.
    every = [case for case in cases.foreign if case.fits and case.context == name]
    ranked = sorted(scores([case for case in every if case.transcript.hypotheses]), reverse=True)

    def reached(share: float) -> float:
        allowed = int(share * len(every))
        return ranked[allowed] if allowed < len(ranked) else -np.inf

    said = [case for case in _half_a([*cases.orders, *cases.commands]) if case.context == name]
    meant = min(
        float(np.quantile(scores([case for case in said if case.group.endswith(group)]), 1 - kept))
        for group, kept in KEPT
    )
    return Edges(reached(FOREIGN_ASKED), reached(FOREIGN_ACCEPTED), meant)


def _thresholds(heard: Logistic, edges: Edges) -> tuple[float, float]:
    """(refuse, doubt) as probabilities: at the two edges of foreign speech, but never so high that orders are lost."""

    def probability(score: float) -> float:
        return heard.probability((min(score, edges.meant), *(0.0 for _ in FEATURES[1:])))

    return probability(edges.asked), probability(edges.accepted)


def paste(fitted: Fit) -> str:
    """The fitted numbers as they stand in assistant/understand/calibration.py and in the contexts' calibration.json."""
    c = fitted.calibration

    def logistic(value: Logistic) -> str:
        weights = ", ".join(f"{w:.4g}" for w in value.weights)
        return f"Logistic({value.bias:.4g}, ({weights}))"

    default = (
        "DEFAULT = Calibration(\n"
        f"    heard={logistic(c.heard)},\n    right={logistic(c.right)},\n"
        f"    refuse={c.refuse:.3f},\n    doubt={c.doubt:.3f},\n    ask_margin={c.ask_margin},\n)"
    )
    files = [
        f'contexts/{name}/calibration.json: {{"accept": {{"refuse": {own.refuse:.3f}, "doubt": {own.doubt:.3f}}}}}'
        for name, own in fitted.contexts.items()
    ]
    return "\n".join([default, *files])


def _half_a(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.fits and case.transcript.hypotheses]


def _features(case: Case, context: Context) -> tuple[float, ...]:
    return features(case.transcript.hypotheses[0], rivals(case.transcript, context))


def _right(case: Case, context: Context) -> bool:
    assert case.order is not None
    return mark(decided(case.transcript, context), case.order).decoded_strict
