"""The scheduler's proof: real recognition under real load, every plan on every utterance, every policy on all of it.

At each moment of a scenario the load is set, the board is read, the scheduler chooses and its plan decodes with its
deadline; then every plan decodes the same utterance under the same load, in an order that rotates. So each fixed plan,
every other policy and the oracle (which knows these times) are compared on the same seconds of the same load. What a
policy learns from is what its own choices took. Moments count as five seconds apart, whatever they took to measure.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.grammar.tree import Context
from assistant.schedule import thermal
from assistant.schedule.board import Board, Counters
from assistant.schedule.plans import Plan, fallback_of
from assistant.schedule.policy import Choice, Fixed, Forecast, Greedy, History, Objective, Policy, Situation, Slo
from assistant.schedule.predict import Belief, learn, predict
from assistant.schedule.profile import Profile
from assistant.schedule.reach import DEADLINE_SHARE, effort_of, reach_of
from assistant.schedule.signals import Signals, signals_of, slowdown
from assistant.schedule.simulate import Oracle
from assistant.types import Effort, Transcript, Utterance
from assistant.understander import Understander
from benchmarks.load import HeatFiles, Limit, Others
from benchmarks.recordings import Order
from benchmarks.scoring import mark, percentiles
from benchmarks.systems import decided

MOMENT_S = 5.0
LISTENED_S = 0.25
"""The board is read when speech begins and so much later; speaking itself would take seconds."""
TRIP_C = 80.0
SCHEDULER = "scheduler"

Heard = tuple[Order, Utterance, str]
"""An order, its utterance, and the condition that it was heard under."""


@dataclass(frozen=True, slots=True)
class Load:
    """cpu, memory: other programs. quota: of a core that we may use. celsius: of the thermal zone."""

    cpu: int = 0
    memory: int = 0
    quota: float | None = None
    celsius: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens at each of `moments` moments; steady: the load does not change."""

    name: str
    moments: tuple[Load, ...]
    steady: bool = False

    @property
    def onsets(self) -> tuple[int, ...]:
        """Where the load grows."""
        sizes = [load.cpu + load.memory + (0 if load.quota is None else 1 / load.quota) for load in self.moments]
        return tuple(n for n in range(1, len(sizes)) if sizes[n] > sizes[n - 1])


def scenarios(moments: int, cores: int) -> tuple[Scenario, ...]:
    """Those of the proof, each of so many moments."""
    steps = (1.0, 0.8, 0.6, 0.45, 0.35, 0.28, 0.2)
    part = max(moments // len(steps), 1)
    quotas = tuple(Load(quota=steps[min(n // part, len(steps) - 1)]) for n in range(moments))
    bursts = tuple(Load(cpu=2 * cores if n % 6 in (3, 4) else 0) for n in range(moments))
    half = max(moments // 4, 1)
    neighbour = tuple(Load(cpu=2 * cores if n // half % 2 else 0) for n in range(moments))
    return (
        Scenario("idle", (Load(),) * moments, steady=True),
        Scenario("all cores busy", (Load(cpu=2 * cores),) * moments, steady=True),
        Scenario("limit falls", quotas),
        Scenario("memory busy", (Load(memory=cores),) * moments, steady=True),
        Scenario("heat", _heat(moments)),
        Scenario("bursts", bursts),
        Scenario("noisy neighbour", neighbour),
    )


def _heat(moments: int) -> tuple[Load, ...]:
    """The zone warms along its curve, throttles at its trip point to 40 % of the clock, and cools."""
    celsius, loads = 55.0, []
    for n in range(moments):
        end_c = 92.0 if n < 0.6 * moments else 48.0
        speed = 60.0 / max(moments, 1)
        celsius = end_c + (celsius - end_c) * math.exp(-speed * MOMENT_S / thermal.TAU_S)
        loads.append(Load(quota=0.4 if celsius >= TRIP_C else 1.0, celsius=celsius))
    return tuple(loads)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One decode: milliseconds, and whether the order was right."""

    ms: float
    right: bool


@dataclass(slots=True)
class Player:
    """A policy on its way through a scenario. hurries: what it runs hurries at its deadline, and ends in time."""

    policy: Policy
    hurries: bool = False
    belief: Belief = field(default_factory=Belief)
    history: History = field(default_factory=History)
    choices: list[Choice] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def choose(self, profile: Profile, plans: Sequence[Plan], moment: Moment, slo_ms: float) -> Choice:
        """Its choice at `moment`."""
        slow = slowdown(moment.signals)
        forecasts = []
        fallback = fallback_of(plans) if self.hurries else 0.0
        for plan in plans:
            found = predict(profile.costs[plan.name], moment.speech_s, slow, self.belief, moment.at)
            reach = reach_of(plan, profile, moment.speech_s) if self.hurries else 1.0
            forecasts.append(
                Forecast(plan, found.likely_ms, found.late_ms, reach=reach, fallback=fallback, sigma=found.sigma)
            )
        forecasts.sort(key=lambda f: f.likely_ms)
        situation = Situation(
            moment.at,
            moment.speech_s,
            slo_ms,
            tuple(forecasts),
            moment.signals,
            self.history,
            Objective(p95_ms=slo_ms, max_temperature_c=TRIP_C),
        )
        choice = self.policy.choose(situation)
        self.history = choice.history
        self.choices.append(choice)
        return choice

    def took(self, profile: Profile, moment: Moment, choice: Choice, outcome: Outcome, *, cut: bool = False) -> None:
        """Learn from what it took."""
        self.outcomes.append(outcome)
        self.belief = learn(
            self.belief,
            profile.costs[choice.plan.name],
            moment.speech_s,
            slowdown(moment.signals),
            outcome.ms,
            moment.at,
            predicted=choice.forecast.prediction,
            cut_short=cut,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known when speech ends. at: as policies count it."""

    at: float
    speech_s: float
    signals: Signals


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario that was run. plans: by name, each moment's outcome. cut: moments at which the deadline answered."""

    scenario: Scenario
    moments: tuple[Moment, ...]
    conditions: tuple[str, ...]
    plans: Mapping[str, tuple[Outcome, ...]]
    players: Mapping[str, Player]
    cut: int
    overhead_ms: tuple[float, ...]


class Stage:
    """Runs scenarios: the assistant's own recognition and comparing, and what makes load."""

    def __init__(self, understander: Understander, plans: Sequence[Plan], others: Others, limit: Limit) -> None:
        self._understander, self._plans = understander, tuple(plans)
        self._others, self._limit = others, limit

    def play(
        self,
        scenario: Scenario,
        heard: Sequence[Heard],
        profile: Profile,
        slo_ms: float,
        advance: Callable[[float], None],
    ) -> Played:
        """One scenario, everybody on it."""
        heat = HeatFiles()
        board = Board(heat.root)
        players = {
            SCHEDULER: Player(Slo(name=SCHEDULER), hurries=True),
            "slo": Player(Slo()),
            "greedy": Player(Greedy()),
        }
        moments, conditions, cut, overheads = [], [], 0, []
        measured: dict[str, list[Outcome]] = {plan.name: [] for plan in self._plans}
        readings: tuple[thermal.Reading, ...] = ()
        try:
            for n, load in enumerate(scenario.moments):
                order, utterance, condition = heard[n % len(heard)]
                before = self._set(load, heat, board)
                began_s = time.thread_time()
                now = board.read(time.monotonic())
                readings = thermal.remembered(readings, n * MOMENT_S, now.temperature_c)
                signals = _with_heat(before, now, readings)
                moment = Moment(n * MOMENT_S, utterance.speech_end_s - utterance.speech_start_s, signals)
                player = players[SCHEDULER]
                choice = player.choose(profile, self._plans, moment, slo_ms)
                overheads.append(1000 * (time.thread_time() - began_s))
                effort = effort_of(choice.forecast, profile, moment.speech_s, slo_ms)
                outcome, truncated = self._decode(order, utterance, choice.plan, effort, DEADLINE_SHARE * slo_ms)
                player.took(profile, moment, choice, outcome, cut=truncated)
                cut += truncated
                for plan in self._rotated(n):
                    measured[plan.name].append(self._decode(order, utterance, plan, plan.effort)[0])
                for name in ("slo", "greedy"):
                    choice = players[name].choose(profile, self._plans, moment, slo_ms)
                    players[name].took(profile, moment, choice, measured[choice.plan.name][-1])
                moments.append(moment)
                conditions.append(condition)
                advance(1)
        finally:
            heat.close()
            self._others.want(0, 0)
            self._limit.set(None)
        plans = {name: tuple(outcomes) for name, outcomes in measured.items()}
        players |= self._hindsight(profile, moments, plans, slo_ms)
        return Played(scenario, tuple(moments), tuple(conditions), plans, players, cut, tuple(overheads))

    def _set(self, load: Load, heat: HeatFiles, board: Board) -> Counters:
        """Make the load, read the board as speech begins, and let a moment pass."""
        self._limit.set(load.quota)
        self._others.want(load.cpu, load.memory)
        if load.celsius is not None:
            heat.write(load.celsius, TRIP_C)
        board.rescan()
        before = board.read(time.monotonic())
        time.sleep(LISTENED_S)
        return before

    def _rotated(self, n: int) -> tuple[Plan, ...]:
        first = n % len(self._plans)
        return self._plans[first:] + self._plans[:first]

    def _decode(
        self, order: Order, utterance: Utterance, plan: Plan, effort: Effort | None, deadline_ms: float = math.inf
    ) -> tuple[Outcome, bool]:
        """Decode and decide; and whether the deadline cut it short."""
        u, began = self._understander, time.perf_counter()
        transcript = u.hear(
            utterance,
            u.prepared,
            effort,
            plan.fused,
            lambda: 1000 * (time.perf_counter() - began) >= deadline_ms,
        )
        ms = 1000 * (time.perf_counter() - began)
        return Outcome(ms, _right(transcript, u.context, order)), transcript.truncated

    def _hindsight(
        self,
        profile: Profile,
        moments: Sequence[Moment],
        plans: Mapping[str, Sequence[Outcome]],
        slo_ms: float,
    ) -> dict[str, Player]:
        """Every fixed plan, and the oracle, on what was measured."""
        found: dict[str, Player] = {f"fixed {plan.name}": Player(Fixed(plan.name)) for plan in self._plans}
        oracle = Oracle()
        found["oracle"] = Player(oracle)
        for n, moment in enumerate(moments):
            oracle.true_ms = {name: outcomes[n].ms for name, outcomes in plans.items()}
            for player in found.values():
                choice = player.choose(profile, self._plans, moment, slo_ms)
                player.took(profile, moment, choice, plans[choice.plan.name][n])
        return found


def _with_heat(before: Counters, now: Counters, readings: Sequence[thermal.Reading]) -> Signals:
    """Rates by the real clock, heat by the scenario's."""
    signals = signals_of(before, now)
    return replace(
        signals,
        trend_c_per_s=thermal.trend_c_per_s(readings),
        throttles_in_s=thermal.seconds_until(readings, now.trip_c),
    )


def _right(transcript: Transcript, context: Context, order: Order) -> bool:
    return mark(decided(transcript, context), order).right


def idle_late_ms(understander: Understander, plan: Plan, heard: Sequence[Heard]) -> float:
    """What `plan` takes for 95 of 100 of these utterances on an idle board: CPU time."""
    times = []
    for _, utterance, _ in heard:
        began_s = time.thread_time()
        understander.hear(utterance, understander.prepared, plan.effort, plan.fused, lambda: False)
        times.append(1000 * (time.thread_time() - began_s))
    return percentiles(times)["p95"]


def in_short(results: Mapping[str, Any]) -> dict[str, Any]:
    """The last line of `--json`: misses, accuracy, p95 and switches by scenario and policy."""
    return {
        "slo_ms": results["slo_ms"],
        "scenarios": {
            name: {
                policy: {key: row[key] for key in ("miss", "accuracy", "p95_ms", "switches")}
                for policy, row in scenario["policies"].items()
            }
            for name, scenario in results["scenarios"].items()
        },
    }
