"""Which plan runs for the next utterance: pure functions of forecasts, signals and what was chosen before.

    situation (forecasts, signals, history) ── choose ─► choice (plan, reason, new history)

`Slo` takes the plan that is worth most: its accuracy less the chance that it is late, a late answer being as bad as a
wrong one. Down at once, up only after a while and with a margin, never more than six changes a minute. A policy is a
plug-in (entry point `assistant.policies`): docs/scheduler.md shows one in twenty lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from assistant.schedule.plans import Plan
from assistant.schedule.predict import Prediction, late_chance
from assistant.schedule.signals import Signals, in_words

MINUTE_S = 60.0
MOST_SWITCHES = 6
"""Changes of plan in any minute."""
SWITCHES_BEFORE_UP = 4
"""With more in the last minute it does not go up: that leaves a step down, to the cheapest plan. It is not needed where
sound alone answers in time."""
HOLD_S = 8.0
"""After a change, no step up for so long."""
UP_MARGIN = 0.85
"""Share of the budget that a dearer plan must fit."""
EXPLORE_EVERY_S = 60.0
"""Once in so long a dearer plan is tried that would probably, but not surely, fit."""
LATE_COSTS = 1.0
"""Accuracy (0..1) that a late answer takes away: as much as a wrong one."""
IN_VAIN = 0.02
"""Accuracy that a search takes away which ended without an answer: sound alone would have answered at once."""
FREE = 0.02
"""A chance up to this costs nothing: the objective allows 5 of 100, and some come unforeseen."""
SURE = 0.05
"""A plan whose chance to be late is at most this is in time, as the objective means it."""
HOPELESS = 0.5
"""Where even the quickest plan is more likely late than this, nothing is in time, and it runs."""
WORTH_A_STEP = 0.01
"""A plan that is in time is not given up for one that is worth less than so much more, except for a dearer one when
nothing has changed for a minute: changes are few, and kept for what counts."""
COOL_BEFORE_S = 60.0
"""A board that would throttle within this time runs nothing dear."""
LOW_BATTERY = 0.15
SPARING = 0.8
"""Where heat, supply or the user forbid what is dear: plans up to so much of the dearest one's time. That leaves out
the widest searches, which take a quarter longer than the next ones and hear a few orders of a thousand better."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A plan now. likely_ms, late_ms, sigma: see predict.py. missing: why it cannot run, "" where it can.

    reach: what would take so many times the budget ends within it all the same, because what is late hurries.
    fallback: accuracy of what answers in time where the plan cannot (sound alone); 0 where nothing does.
    """

    plan: Plan
    likely_ms: float
    late_ms: float
    energy_mj: float = 0.0
    missing: str = ""
    reach: float = 1.0
    fallback: float = 0.0
    sigma: float = 0.0

    @property
    def prediction(self) -> Prediction:
        """Its two times."""
        return Prediction(self.likely_ms, self.late_ms, self.sigma)

    def late_chance(self, budget_ms: float) -> float:
        """The chance that it answers later: of the log-normal with its median and spread."""
        return late_chance(self.prediction, self.reach * budget_ms)


@dataclass(frozen=True, slots=True)
class Objective:
    """p95_ms: from the end of speech to the decision. energy_weight: accuracy (0..1) given up for a joule.

    max_temperature_c: from here on only cheap plans; quiet: the same, now, because the user wants quiet.
    rest_after_s, rest_below_mb: when nobody has spoken for so long and less memory is free, the recogniser is unloaded.
    """

    p95_ms: float = 400.0
    energy_weight: float = 0.0
    max_temperature_c: float = 80.0
    quiet: bool = False
    rest_after_s: float = 1800.0
    rest_below_mb: float = 150.0


@dataclass(frozen=True, slots=True)
class History:
    """plan: the one that ran last, "" before the first. switches: when the plan changed in the last minute."""

    plan: str = ""
    switches: tuple[float, ...] = ()
    explored_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a policy may know. at: monotonic seconds. budget_ms: what is left for computing. forecasts: cheapest
    first, never empty.
    """

    at: float
    speech_s: float
    budget_ms: float
    forecasts: tuple[Forecast, ...]
    signals: Signals
    history: History
    objective: Objective


@dataclass(frozen=True, slots=True)
class Choice:
    """forecast: of the plan that runs. reason: for `why`. too_slow: even the cheapest will probably be late."""

    forecast: Forecast
    reason: str
    history: History
    too_slow: bool = False

    @property
    def plan(self) -> Plan:
        """The plan that runs."""
        return self.forecast.plan


@runtime_checkable
class Policy(Protocol):
    """Chooses. Registered as entry point `assistant.policies`: a function without arguments that makes one."""

    @property
    def name(self) -> str: ...

    def choose(self, situation: Situation) -> Choice:
        """The choice for one utterance; no input or output, no clock, no memory but `situation.history`."""
        ...


@dataclass(frozen=True, slots=True)
class Slo:
    """The scheduler itself."""

    name: str = "slo"

    def choose(self, situation: Situation) -> Choice:
        """The plan that is worth most, with hysteresis."""
        allowed, why = _allowed(situation)
        history = _recent(situation.history, situation.at)
        budget_ms = situation.budget_ms
        quickest = min(allowed, key=lambda f: f.late_ms)
        if quickest.late_chance(budget_ms) > HOPELESS:
            return _chosen(situation, quickest, history, "nothing is sure to be in time", too_slow=True)
        target = max(allowed, key=lambda f: _worth(f, situation, budget_ms))
        now = next((f for f in allowed if f.plan.name == history.plan), None)
        if not history.plan:
            return _chosen(situation, target, history, why)
        if now is None or _is_too_dear(now, target, situation):
            return _chosen(situation, _down(target, allowed, history), history, why)
        return _up(situation, allowed, now, history, why)


@dataclass(frozen=True, slots=True)
class Greedy:
    """Without forecasts of lateness and without hysteresis: the most accurate plan that is likely to fit."""

    name: str = "greedy"

    def choose(self, situation: Situation) -> Choice:
        """The most accurate plan whose median fits."""
        present = [f for f in situation.forecasts if not f.missing] or list(situation.forecasts[:1])
        fitting = [f for f in present if f.likely_ms <= situation.budget_ms]
        chosen = max(fitting or present[:1], key=lambda f: f.plan.accuracy)
        return _chosen(situation, chosen, _recent(situation.history, situation.at), "", too_slow=not fitting)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same plan; the most accurate that is there where it is "" or gone."""

    plan: str = ""
    name: str = "fixed"

    def choose(self, situation: Situation) -> Choice:
        """The plan."""
        present = [f for f in situation.forecasts if not f.missing] or list(situation.forecasts[:1])
        chosen = next((f for f in present if f.plan.name == self.plan), max(present, key=lambda f: f.plan.accuracy))
        return _chosen(situation, chosen, _recent(situation.history, situation.at), "it is fixed")


def slo() -> Policy:
    """Entry point `slo`."""
    return Slo()


def greedy() -> Policy:
    """Entry point `greedy`."""
    return Greedy()


def fixed() -> Policy:
    """Entry point `fixed`."""
    return Fixed()


def switched(history: History, plan: str, at: float) -> History:
    """`history` after `plan` ran at `at`."""
    recent = _recent(history, at)
    changed = bool(history.plan) and plan != history.plan
    return replace(recent, plan=plan, switches=(*recent.switches, at) if changed else recent.switches)


def may_rest(objective: Objective, idle_s: float, available_mb: float | None) -> bool:
    """Whether the recogniser should give its memory back until somebody speaks."""
    return idle_s >= objective.rest_after_s and available_mb is not None and available_mb < objective.rest_below_mb


def _recent(history: History, at: float) -> History:
    """Changes older than a minute are forgotten; after the clock went back all count as now."""
    kept = tuple(min(t, at) for t in history.switches if at - t < MINUTE_S)
    return replace(history, switches=kept, explored_at=min(history.explored_at, at))


def _allowed(situation: Situation) -> tuple[tuple[Forecast, ...], str]:
    """The plans that are there and that heat, battery and quiet hours allow, and what forbids the others."""
    present = tuple(f for f in situation.forecasts if not f.missing) or situation.forecasts[:1]
    why = _sparing(situation)
    if not why:
        return present, ""
    most_ms = SPARING * max(f.likely_ms for f in present)
    return tuple(f for f in present if f.likely_ms <= most_ms) or present[:1], why


def _sparing(situation: Situation) -> str:
    """Why nothing dear may run now."""
    signals, objective = situation.signals, situation.objective
    soon = signals.throttles_in_s
    if signals.temperature_c is not None and signals.temperature_c >= objective.max_temperature_c:
        return f"{signals.temperature_c:.0f} °C is too warm"
    if signals.throttled:
        return "the board throttles itself"
    if soon is not None and soon <= COOL_BEFORE_S:
        return f"the board would throttle in {soon:.0f} s"
    if signals.under_voltage:
        return "the supply is too weak"
    if signals.on_battery and signals.battery is not None and signals.battery < LOW_BATTERY:
        return f"the battery is at {signals.battery:.0%}"
    return "these are quiet hours" if objective.quiet else ""


def _value(forecast: Forecast, objective: Objective) -> float:
    return forecast.plan.accuracy - objective.energy_weight * forecast.energy_mj / 1000


def _worth(forecast: Forecast, situation: Situation, budget_ms: float) -> float:
    """Accuracy, less energy, less what the chance to be late costs: the answer, or only what sound alone knows less."""
    value, late = _value(forecast, situation.objective), forecast.late_chance(budget_ms)
    if forecast.fallback:
        return value - late * (max(value - forecast.fallback, 0.0) + IN_VAIN)
    return value - LATE_COSTS * max(late - FREE, 0.0)


def _is_too_dear(now: Forecast, target: Forecast, situation: Situation) -> bool:
    """Whether a cheaper plan is to run at once: this one is not in time, or that one is clearly worth more."""
    if target.likely_ms >= now.likely_ms:
        return False
    gain = _worth(target, situation, situation.budget_ms) - _worth(now, situation, situation.budget_ms)
    return gain > (0.0 if now.late_chance(situation.budget_ms) > SURE else WORTH_A_STEP)


def _down(target: Forecast, allowed: tuple[Forecast, ...], history: History) -> Forecast:
    """`target`, or the cheapest where the last change that this minute allows is spent on it and nothing answers in
    time where the plan cannot.
    """
    if len(history.switches) >= MOST_SWITCHES - 1 and not target.fallback:
        return min(allowed, key=lambda f: f.late_ms)
    return target


def _up(situation: Situation, allowed: tuple[Forecast, ...], now: Forecast, history: History, why: str) -> Choice:
    """A dearer plan, where it is time for one, else the same again."""
    margin_ms = UP_MARGIN * situation.budget_ms
    value = _value(now, situation.objective)
    dearer = [f for f in allowed if f.likely_ms > now.likely_ms and _value(f, situation.objective) > value]
    least = WORTH_A_STEP if history.switches else 0.0
    by_margin = _worth(now, situation, margin_ms) + least
    by_budget = _worth(now, situation, situation.budget_ms) + least
    better = [
        f
        for f in dearer
        if _worth(f, situation, margin_ms) > by_margin and _worth(f, situation, situation.budget_ms) > by_budget
    ]
    likely = [f for f in dearer if f.likely_ms <= UP_MARGIN * situation.budget_ms]
    last = history.switches[-1] if history.switches else None
    soon = last is not None and situation.at - last < HOLD_S
    often = len(history.switches) > (MOST_SWITCHES - 1 if now.fallback else SWITCHES_BEFORE_UP)
    if better and (soon or often):
        return _chosen(situation, now, history, "it changed a moment ago")
    if better:
        return _chosen(situation, max(better, key=lambda f: _worth(f, situation, margin_ms)), history, why)
    rested = not soon and not often
    if likely and rested and situation.at - history.explored_at >= EXPLORE_EVERY_S:
        tried = replace(history, explored_at=situation.at)
        return _chosen(situation, min(likely, key=lambda f: f.late_ms), tried, "it tries whether more fits again")
    return _chosen(situation, now, history, why)


def _chosen(situation: Situation, forecast: Forecast, history: History, why: str, *, too_slow: bool = False) -> Choice:
    """The choice, but never more changes in a minute than allowed."""
    if history.plan and forecast.plan.name != history.plan and len(history.switches) >= MOST_SWITCHES:
        kept = next((f for f in situation.forecasts if f.plan.name == history.plan and not f.missing), None)
        forecast, why = (forecast, why) if kept is None else (kept, "it changed too often in the last minute")
    after = switched(history, forecast.plan.name, situation.at)
    return Choice(forecast, _reason(situation, forecast, why), after, too_slow)


def _reason(situation: Situation, forecast: Forecast, why: str) -> str:
    """For example: "beam-4 because CPU pressure 62 % and 71 °C rising; beam-12 would have taken 640 ms of 250"."""
    pressing = in_words(situation.signals)
    causes = " and ".join(filter(None, (pressing, why)))
    text = f"{forecast.plan.name}{f' because {causes}' if causes else ''}"
    best = max(situation.forecasts, key=lambda f: f.plan.accuracy)
    if best.plan is forecast.plan:
        return text
    if best.missing:
        return f"{text}; {best.plan.name} could not run: {best.missing}"
    verb = "could have taken" if best.likely_ms <= situation.budget_ms else "would have taken"
    ms = best.late_ms if best.likely_ms <= situation.budget_ms else best.likely_ms
    return f"{text}; {best.plan.name} {verb} {ms:.0f} ms, and {situation.budget_ms:.0f} were left"
