"""How an answer from sound alone counts: pure, its numbers from the bundle, so that a record replays."""

from __future__ import annotations

import math

from assistant.types import Gate

LEAST = 1e-6
"""A probability nearer to 0 or 1 than this says no more."""


def log_odds(score: float) -> float:
    """The log-odds of a meaning of log-probability `score`, nats."""
    p = min(max(math.exp(min(score, 0.0)), LEAST), 1 - LEAST)
    return math.log(p / (1 - p))


def confidence(score: float, gate: Gate) -> float:
    """Probability that a meaning of log-probability `score` is strictly right."""
    z = gate.bias + gate.slope * log_odds(score)
    return 1 / (1 + math.exp(-max(min(z, 60.0), -60.0)))
