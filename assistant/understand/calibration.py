"""Two honest probabilities from a transcript's scores: was this said to us at all, and is the meaning strictly right?

Both are logistic in a few numbers of the best hypothesis (score per token, length, weakest token, margin to the next
meaning, whether it has words that no list has). The shipped coefficients come from `assistant bench refuse --fit`;
`assistant context calibrate` fits a context's own. Platt, Probabilistic Outputs for Support Vector Machines, 1999.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.types import Hypothesis

FEATURES = ("per_token", "length", "weakest", "margin", "free")
MARGIN_CAP = 10.0
"""Nats between the best two meanings beyond which more says nothing; also used when there is only one."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """probability = 1 / (1 + exp(-(bias + sum weight * feature))); weights in the order of FEATURES."""

    bias: float
    weights: tuple[float, ...]

    def probability(self, features: Sequence[float]) -> float:
        """Probability at `features`."""
        z = self.bias + sum(w * f for w, f in zip(self.weights, features, strict=True))
        return 1.0 / (1.0 + math.exp(-max(min(z, 60.0), -60.0)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """heard: was it said to us; right: is the meaning strictly right. Below `refuse` (heard) it is refused, below
    `doubt` (heard) it asks whether it was meant, below `ask_margin` (nats) it asks which of two.
    """

    heard: Logistic
    right: Logistic
    refuse: float
    doubt: float
    ask_margin: float


DEFAULT = Calibration(
    heard=Logistic(1.376, (4.16, 0.0, 0.0, 0.0, 0.0)),
    right=Logistic(1.618, (1.794, -0.5938, 0.1265, 0.2457, 0.0)),
    refuse=0.570,
    doubt=0.823,
    ask_margin=2.0,
)
"""Fitted on one half of the development recordings by `assistant bench refuse --fit`. In score per token: refused below
-0.26, asked about below 0.04. These are the bounds of `home`, the largest grammar: the more a grammar can say, the
better some of it fits foreign speech. A context that ships has its own bounds in its calibration.json. They lie where
foreign speech ends: what lies above is speech in noise, and people score lower than voices.
"""


def features(best: Hypothesis, rivals: Sequence[Hypothesis]) -> tuple[float, ...]:
    """FEATURES of a hypothesis with token scores among its rivals (other meanings)."""
    return (
        best.score_per_token,
        math.log(max(len(best.tokens), 1)),
        float(best.log_p.min(initial=0.0)),
        margin(best, rivals),
        float(bool(best.spelt)),
    )


def margin(best: Hypothesis, rivals: Sequence[Hypothesis]) -> float:
    """Nats to the nearest rival, at most MARGIN_CAP."""
    return min([MARGIN_CAP, *(best.rerank - other.rerank for other in rivals)])


def calibration(accept: Mapping[str, float], ask_margin: float | None = None) -> Calibration:
    """The shipped calibration with a context's own numbers (calibration.json, key "accept") in place of its parts."""

    def logistic(name: str, default: Logistic) -> Logistic:
        weights = tuple(accept.get(f"{name}.{f}", w) for f, w in zip(FEATURES, default.weights, strict=True))
        return Logistic(accept.get(f"{name}.bias", default.bias), weights)

    return Calibration(
        logistic("heard", DEFAULT.heard),
        logistic("right", DEFAULT.right),
        accept.get("refuse", DEFAULT.refuse),
        accept.get("doubt", DEFAULT.doubt),
        DEFAULT.ask_margin if ask_margin is None else ask_margin,
    )


def as_accept(calibrated: Calibration) -> dict[str, float]:
    """`calibrated` as the flat numbers of calibration.json."""
    flat: dict[str, float] = {}
    for name, logistic in (("heard", calibrated.heard), ("right", calibrated.right)):
        flat[f"{name}.bias"] = logistic.bias
        flat |= {f"{name}.{f}": w for f, w in zip(FEATURES, logistic.weights, strict=True)}
    return flat | {"refuse": calibrated.refuse, "doubt": calibrated.doubt}


def fit_logistic(
    x: NDArray[np.float64], y: NDArray[np.bool_], ridge: float = 1e-2, used: Sequence[str] = FEATURES
) -> Logistic:
    """A logistic in FEATURES; x is [rows, features]. Unused features get 0."""
    keep = np.array([name in used for name in FEATURES])
    bias, fitted = fit_weights(x[:, keep], y, ridge)
    weights = np.zeros(len(FEATURES))
    weights[keep] = fitted
    return Logistic(bias, tuple(float(v) for v in weights))


def fit_weights(x: NDArray[np.float64], y: NDArray[np.bool_], ridge: float = 1e-2) -> tuple[float, NDArray[np.float64]]:
    """Bias and weights of a logistic regression by Newton's method on standardised columns, L2-regularised."""
    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / scale])
    w = np.zeros(z.shape[1])
    penalty = ridge * len(x) / 100 * np.r_[0.0, np.ones(x.shape[1])]
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -60, 60)))
        gradient = z.T @ (p - y) + penalty * w
        hessian = (z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    weights = w[1:] / scale
    return float(w[0] - (weights * mean).sum()), weights


def expected_calibration_error(p: NDArray[np.float64], y: NDArray[np.bool_], bins: int = 10) -> float:
    """Mean distance of stated and true probability over equal-width bins (Naeini et al., AAAI 2015)."""
    index = np.minimum((p * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        rows = index == b
        if rows.any():
            total += rows.mean() * abs(float(p[rows].mean()) - float(y[rows].mean()))
    return total
