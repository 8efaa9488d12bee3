"""How long a plan will take now: its profile, times the board's slowdown, times what the last utterances taught.

    ln t = ln m(plan, length) + ln slowdown(signals) + b + e,    e ~ N(0, spread of the plan squared)

b is what signals and profile do not know. It is tracked by a scalar Kalman filter: it wanders, and it is drawn back
to 0, so that an old surprise is forgotten. A time that is longer than it can have foreseen is believed at once
(load begins in a moment), and the next ones are foreseen with a wide margin. A time that the deadline cut short says
only "at least so long".

How far above the median the 95 % quantile lies is not taken from the normal distribution but from the utterances
themselves (conformal prediction): z is a quantile of the last scores, a score being e over what was thought to be its
spread, together with a few normal ones for as long as there are few. Which quantile follows the misses (adaptive
conformal inference: Gibbs and Candès, arXiv 2106.00170): a miss asks for a higher one, so that 95 % are covered in the
long run whatever the times do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

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
LEAST_Z, MOST_Z = 0.2, 6.0
USUAL = 5 / 6
"""About one standard deviation above the median."""
LEAST_USUAL, MOST_USUAL = 0.8, 2.0
SCORES = 60
"""So many of the last scores count, each a little less than the one after it."""
SCORE_FADES = 0.98
NORMAL_WEIGHT = 12.0
"""So many utterances the normal distribution counts as, at first; its weight fades like that of old scores."""
NORMAL_SPREAD = 1.2
"""Of these: a profile of a few utterances spreads less than what comes (measured: 1.1 to 1.3 times)."""
NORMAL_SCORES = tuple(NormalDist(0.0, NORMAL_SPREAD).inv_cdf((n + 0.5) / 40) for n in range(40))
MOST_SURPRISE = 1.0
"""A score counts as at most so much above z: where load begins, the next ones tell, not that one."""
LEVEL_STEP = 0.01
"""What a miss asks for, in probability (gamma of the paper)."""
LEAST_MS, MOST_MS = 0.01, 600_000.0
"""Measured times outside are nonsense."""
MOST_LOG = 5.0
"""b stays within e^±5."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What the last utterances taught.

    log, variance: of b; at: when, monotonic seconds; z: the quantile's factor. usual: score that five of six stay
    below, 1 if they are normal. scores: of the last utterances, oldest first; seen: how many there were. level: the
    probability of a miss that z is chosen for.
    """

    log: float = 0.0
    variance: float = 0.04
    at: float | None = None
    z: float = START_Z
    usual: float = 1.0
    scores: tuple[float, ...] = ()
    seen: int = 0
    level: float = 1 - COVERED


@dataclass(frozen=True, slots=True)
class Prediction:
    """likely_ms: median. late_ms: the time that 95 % stay below. sigma: standard deviation of the logarithm as most
    times have it, rare ones apart; 0: as the two times have it.
    """

    likely_ms: float
    late_ms: float
    sigma: float = 0.0


def predict(cost: Cost, speech_s: float, slowdown: float, belief: Belief, at: float) -> Prediction:
    """The time of a plan for an utterance of `speech_s` at `at`."""
    log, variance = _after(belief, at)
    likely_ms = cost.time_ms(speech_s) * slowdown * math.exp(log)
    sigma = math.sqrt(variance + cost.spread**2)
    return Prediction(likely_ms, likely_ms * math.exp(belief.z * sigma), belief.usual * sigma)


def late_chance(prediction: Prediction, within_ms: float) -> float:
    """The chance that it takes longer than `within_ms`: of the log-normal with this median and spread."""
    if within_ms <= 0:
        return 1.0
    beyond = math.log(within_ms / prediction.likely_ms)
    sigma = prediction.sigma or math.log(prediction.late_ms / prediction.likely_ms) / START_Z
    return float(beyond < 0) if sigma <= 0 else 0.5 * math.erfc(beyond / (sigma * math.sqrt(2)))


def aged(belief: Belief, at: float) -> Belief:
    """`belief` at `at`. A clock that went back ages nothing."""
    if belief.at is None or at <= belief.at:
        return belief
    log, variance = _after(belief, at)
    return replace(belief, log=log, variance=variance, at=at)


def _after(belief: Belief, at: float) -> tuple[float, float]:
    """The logarithm and its variance at `at`."""
    if belief.at is None or at <= belief.at:
        return belief.log, belief.variance
    seconds = at - belief.at
    variance = min(belief.variance + WANDER_PER_S * seconds, MOST_VARIANCE)
    return belief.log * math.exp(-seconds / FORGET_S), max(variance, belief.variance)


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
    variance = old.variance
    jumped = abs(error) > (JUMP_UP_SIGMAS if error > 0 else JUMP_DOWN_SIGMAS) * math.sqrt(variance + noise)
    if cut_short and error <= 0:
        log = old.log
    else:
        variance = error**2 if jumped else variance
        gain = variance / (variance + noise)
        log = old.log + gain * error
        variance = max((1 - gain) * variance, LEAST_VARIANCE)
    log = min(max(log, -MOST_LOG), MOST_LOG)
    new = replace(old, log=log, variance=min(variance, MOST_VARIANCE), at=max(at, belief.at or at))
    if predicted is None:
        return new
    score = error / math.sqrt(old.variance + noise)
    return _scored(new, score, missed=measured_ms > predicted.late_ms, cut_short=cut_short)


def _scored(belief: Belief, score: float, *, missed: bool, cut_short: bool) -> Belief:
    """The quantile's factor after one more utterance. One that was cut short would have had a higher score."""
    level = min(max(belief.level + LEVEL_STEP * ((1 - COVERED) - float(missed)), -LEVEL_STEP), 2 * (1 - COVERED))
    score = min(max(score, belief.z) if cut_short else score, belief.z + MOST_SURPRISE)
    scores = (*belief.scores, score)[-SCORES:]
    seen = belief.seen + 1
    weighed = _weighed(scores, NORMAL_WEIGHT * SCORE_FADES**seen)
    z = _quantile(weighed, 1 - level, beyond=1.0)
    usual = min(max(_quantile(weighed, USUAL), LEAST_USUAL), MOST_USUAL)
    return replace(belief, scores=scores, seen=seen, level=level, z=min(max(z, LEAST_Z), MOST_Z), usual=usual)


def _weighed(scores: Sequence[float], normal: float) -> list[tuple[float, float]]:
    """Scores and weights, highest first: `scores` (the last one weighs most), and normal ones, `normal` in all."""
    weighed = [(score, SCORE_FADES**age) for age, score in enumerate(reversed(scores))]
    weighed += [(score, normal / len(NORMAL_SCORES)) for score in NORMAL_SCORES]
    return sorted(weighed, reverse=True)


def _quantile(weighed: Sequence[tuple[float, float]], level: float, beyond: float = 0.0) -> float:
    """The weighted quantile. beyond: weight of the next score, which nobody knows yet and which counts as the highest;
    without it few scores would cover too little.
    """
    above = (1 - level) * (beyond + sum(weight for _, weight in weighed)) - beyond
    for score, weight in weighed:
        above -= weight
        if above < 0:
            return score
    return LEAST_Z
