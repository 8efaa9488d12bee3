"""How long a plan will take now: its profile, times the board's slowdown, times what the last utterances taught.

    ln t = ln m(plan, length) + ln slowdown(signals) + b + e,    e ~ N(0, spread of the plan squared)

b is what signals and profile do not know. It is tracked by a scalar Kalman filter: it wanders, and it is drawn back
to 0, so that an old surprise is forgotten. A time that is longer than it can have foreseen is believed at once
(load begins in a moment), and the next ones are foreseen with a wide margin. A time that the deadline cut short says
only "at least so long". The quantile's factor z follows the misses themselves, so that the 95 % quantile covers 95 %
whatever the distribution is (online quantile tracking: Gibbs and Candès, arXiv 2106.00170; Angelopoulos et al.,
arXiv 2307.16895).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from assistant.schedule.profile import Cost

FORGET_S = 120.0
"""After so long without news a surprise is worth e^-1 of itself."""
WANDER_PER_S = 0.001
"""Variance that b gains a second: 0.17 of a natural logarithm in half a minute."""
LEAST_VARIANCE, MOST_VARIANCE = 0.0025, 0.04
JUMP_UP_SIGMAS, JUMP_DOWN_SIGMAS = 2.0, 3.0
"""Surprises: too hopeful a belief costs a late answer, too gloomy a one a little accuracy."""
COVERED = 0.95
START_Z = 1.645
LEAST_Z, MOST_Z = 0.2, 4.0
Z_STEP = 0.2
LEAST_MS, MOST_MS = 0.01, 600_000.0
"""Measured times outside are nonsense."""
MOST_LOG = 5.0
"""b stays within e^±5."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What the last utterances taught. log, variance: of b; at: when, monotonic seconds; z: the quantile's factor."""

    log: float = 0.0
    variance: float = 0.04
    at: float | None = None
    z: float = START_Z


@dataclass(frozen=True, slots=True)
class Prediction:
    """likely_ms: median. late_ms: the time that 95 % stay below."""

    likely_ms: float
    late_ms: float


def predict(cost: Cost, speech_s: float, slowdown: float, belief: Belief, at: float) -> Prediction:
    """The time of a plan for an utterance of `speech_s` at `at`."""
    belief = aged(belief, at)
    likely_ms = cost.time_ms(speech_s) * slowdown * math.exp(belief.log)
    sigma = math.sqrt(belief.variance + cost.spread**2)
    return Prediction(likely_ms, likely_ms * math.exp(belief.z * sigma))


def aged(belief: Belief, at: float) -> Belief:
    """`belief` at `at`. A clock that went back ages nothing."""
    if belief.at is None or at <= belief.at:
        return belief
    seconds = at - belief.at
    log = belief.log * math.exp(-seconds / FORGET_S)
    variance = min(belief.variance + WANDER_PER_S * seconds, MOST_VARIANCE)
    return Belief(log, max(variance, belief.variance), at, belief.z)


def learn(
    belief: Belief,
    cost: Cost,
    speech_s: float,
    slowdown: float,
    measured_ms: float,
    at: float,
    *,
    predicted: Prediction | None = None,
    cut_short: bool = False,
) -> Belief:
    """`belief` after a time was measured. predicted: what was said before, for the quantile; cut_short: a deadline
    ended it, so that it would have taken longer.
    """
    if not LEAST_MS <= measured_ms <= MOST_MS:
        return belief
    old = aged(belief, at)
    error = math.log(measured_ms / (cost.time_ms(speech_s) * slowdown)) - old.log
    noise = cost.spread**2
    variance, z = old.variance, old.z
    jumped = abs(error) > (JUMP_UP_SIGMAS if error > 0 else JUMP_DOWN_SIGMAS) * math.sqrt(variance + noise)
    if cut_short and error <= 0:
        log = old.log
    else:
        z = max(z, START_Z) if jumped and error > 0 else z
        variance = error**2 if jumped else variance
        gain = variance / (variance + noise)
        log = old.log + gain * error
        variance = max((1 - gain) * variance, LEAST_VARIANCE)
    log = min(max(log, -MOST_LOG), MOST_LOG)
    new = Belief(log, min(variance, MOST_VARIANCE), max(at, belief.at or at), z)
    return new if predicted is None else replace(new, z=_tracked(z, missed=measured_ms > predicted.late_ms))


def _tracked(z: float, *, missed: bool) -> float:
    """The quantile's factor after one more utterance was within it or not."""
    return min(max(z + Z_STEP * (float(missed) - (1 - COVERED)), LEAST_Z), MOST_Z)
