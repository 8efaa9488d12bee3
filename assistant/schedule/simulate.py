"""A day of a board in seconds: load, heat and speech drawn or given, the policies run on it side by side.

The forecasts, the belief and the policies are the real ones; only the board is made up: a first-order thermal body that
throttles, others that come and go, a limit that may be set. What signals cannot see (a cold cache, a neighbour on the
same memory bus) multiplies the times all the same. Times are drawn about the profile with its spread, the same draw for
every policy, so that differences between policies are theirs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from assistant.schedule import thermal
from assistant.schedule.board import Counters
from assistant.schedule.plans import Plan
from assistant.schedule.policy import Choice, Forecast, History, Objective, Policy, Situation, switched
from assistant.schedule.predict import Belief, learn, predict
from assistant.schedule.profile import Profile
from assistant.schedule.signals import Signals, signals_of, slowdown

HOUR_S = 3600.0
AMBIENT_C, HOT_C = 38.0, 92.0
"""Where the made-up board settles idle, and with all cores busy."""
THROTTLE_C, THROTTLED_CLOCK = 80.0, 0.6
CORES = 4.0
UTTERANCES_AN_HOUR = 20.0
LENGTH_MEDIAN_S, LENGTH_SPREAD = 1.8, 0.35


@dataclass(frozen=True, slots=True)
class Moment:
    """One utterance of the day. at: seconds. others: cores that others use. quota: our limit. hidden: what no signal
    shows, a factor. noise: of this utterance, in spreads. signals: what the board says.
    """

    at: float
    speech_s: float
    hidden: float
    noise: float
    signals: Signals


@dataclass(frozen=True, slots=True)
class Run:
    """What one policy made of a day. plans, times_ms: by utterance. accuracy: mean of the plans'."""

    policy: str
    plans: tuple[str, ...]
    reasons: tuple[str, ...]
    times_ms: tuple[float, ...]
    late_ms: tuple[float, ...]
    misses: int
    avoidable: int
    accuracy: float
    switches: int
    busy_s: float
    energy_j: float


class RecordedPick(Protocol):
    """A choice as the trace keeps it."""

    @property
    def plan(self) -> str: ...
    @property
    def measured_ms(self) -> float | None: ...
    @property
    def signals(self) -> Mapping[str, float]: ...


_NUMERIC = frozenset(
    ("pressure", "others", "cores", "quota_cores", "temperature_c", "throttles_in_s", "frequency_share", "running")
)


@dataclass(slots=True)
class _Heat:
    celsius: float = AMBIENT_C
    readings: tuple[thermal.Reading, ...] = field(default=())


def day(hours: float = 24.0, seed: int = 0) -> tuple[Moment, ...]:
    """A made-up day: quiet nights, busy stretches, a hot afternoon, a limit in the evening, bursts of others."""
    return tuple(_moments(hours, np.random.default_rng(seed)))


def recorded(rows: Sequence[tuple[float, float, RecordedPick]], profile: Profile) -> tuple[Moment, ...]:
    """Recorded utterances (when, seconds of speech, what was chosen) as moments; those without a time are left out.

    How much longer than the profile each took is what the day's other plans are supposed to have suffered, too.
    """
    moments = []
    for at, speech_s, pick in rows:
        cost = profile.costs.get(pick.plan)
        if cost is None or pick.measured_ms is None:
            continue
        known = {name: value for name, value in pick.signals.items() if name in _NUMERIC}
        signals = Signals(**known)  # type: ignore[arg-type]
        hidden = pick.measured_ms / (cost.time_ms(speech_s) * slowdown(signals))
        moments.append(Moment(at, speech_s, hidden, 0.0, signals))
    return tuple(moments)


def _moments(hours: float, rng: np.random.Generator) -> Iterator[Moment]:
    at, heat, hidden, others, until = 0.0, _Heat(), 1.0, 0.0, 0.0
    while True:
        gap_s = float(rng.exponential(HOUR_S / UTTERANCES_AN_HOUR))
        at += max(gap_s, 2.0)
        if at >= hours * HOUR_S:
            return
        if at >= until:  # others come or go
            others = float(rng.choice([0.0, 0.0, 1.0, 2.0, 4.0, 6.0]))
            hidden = float(rng.choice([1.0, 1.0, 1.0, 1.3, 1.8]))
            until = at + float(rng.exponential(15 * 60.0))
        hour = at / HOUR_S % 24
        quota = 0.5 if 19 <= hour < 20 else None
        signals = _board(at, gap_s, others, quota, hour, heat)
        length_s = LENGTH_MEDIAN_S * math.exp(LENGTH_SPREAD * rng.standard_normal())
        yield Moment(at, float(length_s), hidden, float(rng.standard_normal()), signals)


def _board(at: float, gap_s: float, others: float, quota: float | None, hour: float, heat: _Heat) -> Signals:
    """What the board says after `gap_s` with `others`: the body warms towards where it would settle."""
    used = min(others, CORES) / CORES
    warm_c = 12.0 if 13 <= hour < 17 else 0.0
    end_c = AMBIENT_C + warm_c + used * (HOT_C - AMBIENT_C - 12.0)
    for step in range(1, 7):  # the monitor reads now and then
        part_s = min(gap_s, 120.0) / 6
        heat.celsius = end_c + (heat.celsius - end_c) * math.exp(-part_s / thermal.TAU_S)
        heat.readings = thermal.remembered(heat.readings, at - min(gap_s, 120.0) + step * part_s, heat.celsius)
    hot = heat.celsius >= THROTTLE_C
    pressure = min(max(others + 1 - CORES, 0.0) / max(others, 1.0), 1.0)
    before = Counters(at=at - 2.0, some_s=0.0, busy_s=0.0, own_s=0.0)
    now = Counters(
        at=at,
        some_s=2.0 * pressure,
        busy_s=2.0 * min(others, CORES),
        own_s=0.0,
        cores=CORES,
        running=math.ceil(others),
        quota_cores=quota,
        temperature_c=heat.celsius,
        trip_c=THROTTLE_C,
        frequency_share=THROTTLED_CLOCK if hot else 1.0,
    )
    return signals_of(before, now, heat.readings)


def simulate(
    moments: Sequence[Moment], profile: Profile, plans: Sequence[Plan], policy: Policy, objective: Objective
) -> Run:
    """One policy through the day; `Oracle` below knows the times beforehand."""
    belief, history = Belief(), History()
    chosen: list[Choice] = []
    times: list[float] = []
    fitting = 0
    for moment in moments:
        slow = slowdown(moment.signals)
        true_ms = {plan.name: _true_ms(profile, plan, moment) for plan in plans}
        if isinstance(policy, Oracle):
            policy.true_ms = true_ms
        forecasts = []
        for plan in plans:
            found = predict(profile.costs[plan.name], moment.speech_s, slow, belief, moment.at)
            energy_mj = profile.costs[plan.name].energy_mj * moment.speech_s
            forecasts.append(Forecast(plan, found.likely_ms, found.late_ms, energy_mj, sigma=found.sigma))
        forecasts.sort(key=lambda f: f.likely_ms)
        situation = Situation(
            moment.at, moment.speech_s, objective.p95_ms, tuple(forecasts), moment.signals, history, objective
        )
        choice = policy.choose(situation)
        ms = true_ms[choice.plan.name]
        cost = profile.costs[choice.plan.name]
        belief = learn(belief, cost, moment.speech_s, slow, ms, moment.at, predicted=choice.forecast.prediction)
        history = choice.history
        chosen.append(choice)
        times.append(ms)
        fitting += min(true_ms.values()) <= objective.p95_ms
    return _run(policy.name, moments, chosen, times, fitting, objective)


def _true_ms(profile: Profile, plan: Plan, moment: Moment) -> float:
    cost = profile.costs[plan.name]
    return (
        cost.time_ms(moment.speech_s) * slowdown(moment.signals) * moment.hidden * math.exp(cost.spread * moment.noise)
    )


def _run(
    name: str,
    moments: Sequence[Moment],
    chosen: Sequence[Choice],
    times: Sequence[float],
    fitting: int,
    objective: Objective,
) -> Run:
    plans = tuple(choice.plan.name for choice in chosen)
    misses = sum(ms > objective.p95_ms for ms in times)
    return Run(
        policy=name,
        plans=plans,
        reasons=tuple(choice.reason for choice in chosen),
        times_ms=tuple(times),
        late_ms=tuple(choice.forecast.late_ms for choice in chosen),
        misses=misses,
        avoidable=misses - (len(moments) - fitting),
        accuracy=float(np.mean([choice.plan.accuracy for choice in chosen])) if chosen else 0.0,
        switches=sum(a != b for a, b in itertools.pairwise(plans)),
        busy_s=sum(times) / 1000,
        energy_j=sum(choice.forecast.energy_mj for choice in chosen) / 1000,
    )


class Oracle:
    """Knows what every plan will take: the most accurate that is in time, else the cheapest. For benchmarks only."""

    name = "oracle"

    def __init__(self) -> None:
        self.true_ms: dict[str, float] = {}

    def choose(self, situation: Situation) -> Choice:
        """The best plan in hindsight."""
        fitting = [f for f in situation.forecasts if self.true_ms[f.plan.name] <= situation.budget_ms]
        cheapest = min(situation.forecasts, key=lambda f: self.true_ms[f.plan.name])
        best = max(fitting, key=lambda f: f.plan.accuracy, default=cheapest)
        return Choice(best, "in hindsight", switched(situation.history, best.plan.name, situation.at))
