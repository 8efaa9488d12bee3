"""The scheduler at work: reads the board, forecasts every plan, lets the policy choose, learns from what it took.

    begin (speech starts) ─► choose (it ends) ─► Pick ─► the recogniser runs ─► note (what it took)

Everything that decides is pure and elsewhere (policy, predict, signals); here are the file reads, the clock and the
state between utterances. Safe to use from several threads.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Union

from assistant.clock import Clock
from assistant.schedule import thermal
from assistant.schedule.between import QUIET_SLOWDOWN, Between
from assistant.schedule.board import Board, Counters
from assistant.schedule.plans import PLANS, Plan, fallback_of
from assistant.schedule.policy import Choice, Forecast, History, Objective, Policy, Situation, Slo
from assistant.schedule.predict import Belief, Prediction, aged, learn, predict
from assistant.schedule.profile import Cost, Profile, corrected
from assistant.schedule.reach import DEADLINE_SHARE, effort_of, reach_of
from assistant.schedule.signals import Signals, signals_of, slowdown
from assistant.types import Pick

log = logging.getLogger(__name__)

LEAST_BUDGET_SHARE = 0.25
"""Of the objective: what is late already, because it was first heard as an answer, say, is not heard badly besides."""
RESERVE_MB = 64.0
"""Memory that loading a variant must leave free."""
WATCH_EVERY_S = 5.0
STALE_S = 60.0
"""A reading of the board that is older than this is no beginning for rates."""
CORRECTED_AFTER = 20
"""So many utterances while nothing presses tell what the board is worth, where it was only estimated."""
TOO_SLOW_AGAIN_S = 3600.0
"""That no plan is fast enough is told once, and again only after so long without it."""


class RecordedPick(Protocol):
    """A pick, as it was chosen or as the trace keeps it."""

    @property
    def plan(self) -> str: ...
    @property
    def likely_ms(self) -> float: ...
    @property
    def late_ms(self) -> float: ...
    @property
    def measured_ms(self) -> float | None: ...


Calibrate = Callable[[Callable[[], bool]], Union[Profile, None]]
"""Measures this board; asked between utterances whether to stop, it then gives None."""
Ready = Callable[[Plan], str]
"""Why a plan cannot run now, "" where it can."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the scheduler knows, for `schedule status`."""

    at: float
    signals: Signals
    slowdown: float
    belief: Belief
    forecasts: tuple[Forecast, ...]
    history: History
    picks: int
    late: int
    too_slow: int


@dataclass(slots=True)
class _Running:
    """What was chosen, until its time is known."""

    cost: Cost
    slow: float
    predicted: Prediction
    speech_s: float
    budget_ms: float


@dataclass(slots=True)
class _State:
    belief: Belief = field(default_factory=Belief)
    history: History = field(default_factory=History)
    before: Counters | None = None
    heat: tuple[thermal.Reading, ...] = ()
    picks: int = 0
    late: int = 0
    too_slow: int = 0
    switches: int = 0
    told_at: float | None = None
    ratios: list[float] = field(default_factory=list)
    between: Between = field(default_factory=Between)


class Scheduler:
    """Chooses a plan for each utterance.

    ready: says why a plan cannot run now (its file is gone, or not loaded yet). tell: is given a line for the user.
    rest: unloads the recogniser, which loads itself again when somebody speaks. keep: is given estimates that were
    corrected by what utterances took.
    """

    def __init__(
        self,
        profile: Profile,
        clock: Clock,
        board: Board,
        *,
        plans: Sequence[Plan] = PLANS,
        policy: Policy | None = None,
        objective: Objective | Callable[[], Objective] = Objective(),  # noqa: B008 - frozen
        ready: Ready = lambda _plan: "",
        tell: Callable[[str], None] = log.warning,
        rest: Callable[[], None] = lambda: None,
        keep: Callable[[Profile], None] = lambda _profile: None,
    ) -> None:
        self._rest, self._keep = rest, keep
        self.profile, self.policy = profile, policy or Slo()
        self.plans = tuple(plan for plan in plans if plan.name in profile.costs)
        if not self.plans:
            raise ValueError("the profile knows none of the plans")
        self._clock, self._board, self._ready, self._tell = clock, board, ready, tell
        self._objective = objective if callable(objective) else lambda: objective
        self._state = _State()
        self._running: dict[int, _Running] = {}
        self._lock = threading.Lock()
        self._ambient: Callable[[bool], None] = lambda _sparing: None
        self._calibrate: Calibrate | None = None

    def watch_ambient(self, exchange: Callable[[bool], None]) -> None:
        """Tell `exchange` at each look whether to spare, from the thread that looks: it does what is to be done."""
        self._ambient = exchange

    def calibrate_when_idle(self, calibrate: Calibrate) -> None:
        """Have the board measured, from the thread that looks, when nobody speaks and its profile is only estimated."""
        self._calibrate = calibrate

    def watch(self, every_s: float = WATCH_EVERY_S) -> None:
        """Keep an eye on heat and control groups from a thread, which ends with this object."""
        threading.Thread(target=_watch, args=(weakref.ref(self), every_s), name="board", daemon=True).start()

    def look(self) -> None:
        """Read the board between utterances: heat is forecast from readings that are not too far apart."""
        at = self._clock.monotonic()
        self._board.rescan()
        counters = self._board.read(at)
        with self._lock:
            self._see(counters)
            before = self._state.before
            if before is None or at - before.at > STALE_S:
                self._state.before = counters
            due = self._state.between.due(
                counters, self._state.heat, self._objective(), estimated=self.profile.estimated
            )
        if due.rests:
            log.info(
                "nobody has spoken for a while and memory is short: the recogniser is unloaded until somebody does"
            )
            self._rest()
        self._ambient(due.spares)
        if due.measures and self._calibrate is not None:
            self._measure(self._calibrate)

    def totals(self) -> dict[str, float]:
        """What has been counted, by the names that metrics have."""
        with self._lock:
            s = self._state
            return {
                "assistant_schedule_picks": s.picks,
                "assistant_schedule_late": s.late,
                "assistant_schedule_too_slow": s.too_slow,
                "assistant_schedule_switches": s.switches,
            }

    @property
    def objective(self) -> Objective:
        """What is to be kept, now."""
        return self._objective()

    def begin(self) -> None:
        """Speech has begun: rates are taken from here to the choice, so that they are those of this utterance."""
        counters = self._board.read(self._clock.monotonic())
        with self._lock:
            self._see(counters)
            self._state.before = counters
            self._state.between.spoke(counters.at)

    def choose(
        self,
        speech_s: float,
        *,
        elapsed_ms: float = 0.0,
        waiting: int = 0,
        from_sound: bool = False,
        again: bool = False,
    ) -> Pick:
        """The plan for an utterance of `speech_s` that ended `elapsed_ms` ago, behind `waiting` others.

        from_sound, again: it can be understood from sound alone; what is doubtful in it can be looked at again.
        """
        at = self._clock.monotonic()
        counters = self._board.read(at)
        with self._lock:
            state = self._state
            self._see(counters)
            signals = signals_of(state.before, counters, state.heat, waiting)
            objective = self._objective()
            budget_ms = max(objective.p95_ms - elapsed_ms, LEAST_BUDGET_SHARE * objective.p95_ms) / (1 + waiting)
            plans = [plan for plan in self.plans if plan.fits(from_sound=from_sound, again=again)]
            situation = self._situation(at, speech_s, budget_ms, signals, objective, plans)
            choice = self.policy.choose(situation)
            state.switches += bool(state.history.plan) and choice.plan.name != state.history.plan
            state.history = choice.history
            state.picks += 1
            number = state.picks
            forecast = choice.forecast
            self._running[number] = _Running(
                self.profile.costs[choice.plan.name],
                slowdown(signals, self.profile.at_clock),
                Prediction(forecast.likely_ms, forecast.late_ms),
                speech_s,
                budget_ms,
            )
            self._complain(choice, at)
        return Pick(
            number=number,
            plan=choice.plan.name,
            policy=self.policy.name,
            reason=choice.reason,
            effort=effort_of(forecast, self.profile, speech_s, budget_ms),
            fused=choice.plan.fused,
            likely_ms=forecast.likely_ms,
            late_ms=forecast.late_ms,
            budget_ms=budget_ms,
            deadline_at=at + DEADLINE_SHARE * budget_ms / 1000,
            signals=signals.numbers,
        )

    def late(self, pick: Pick) -> bool:
        """Whether what `pick` chose should answer with what it has."""
        return self._clock.monotonic() >= pick.deadline_at

    def note(self, pick: Pick, measured_ms: float, *, cut_short: bool = False) -> Pick:
        """What it took; `pick` with it. cut_short: the deadline ended it."""
        at = self._clock.monotonic()
        with self._lock:
            running = self._running.pop(pick.number, None)
            if running is not None:
                state = self._state
                state.late += measured_ms > running.budget_ms
                state.belief = learn(
                    state.belief,
                    running.cost,
                    running.speech_s,
                    running.slow,
                    measured_ms,
                    at,
                    predicted=running.predicted,
                    cut_short=cut_short,
                )
            better = None if running is None or cut_short else self._correction(running, measured_ms)
        if better is not None:
            self._keep(better)
        return replace(pick, measured_ms=measured_ms)

    def forget(self, pick: Pick) -> None:
        """It was broken off: its time says nothing."""
        with self._lock:
            self._running.pop(pick.number, None)

    def recall(self, picks: Iterable[tuple[RecordedPick, float, float]]) -> None:
        """Learn from recorded choices, oldest first: each with its age (negative) and length of speech, seconds."""
        now = self._clock.monotonic()
        with self._lock:
            state = self._state
            for pick, age_s, speech_s in picks:
                cost = self.profile.costs.get(pick.plan)
                if cost is None or pick.measured_ms is None:
                    continue
                slow = pick.likely_ms / cost.time_ms(speech_s) / math.exp(aged(state.belief, now + age_s).log)
                said = Prediction(pick.likely_ms, pick.late_ms)
                state.belief = learn(
                    state.belief, cost, speech_s, max(slow, 1.0), pick.measured_ms, now + age_s, predicted=said
                )
                state.history = replace(state.history, plan=pick.plan)

    def status(self, speech_s: float = 2.0, *, from_sound: bool = False, again: bool = False) -> Status:
        """What it knows now, and would forecast for an utterance of `speech_s`."""
        at = self._clock.monotonic()
        counters = self._board.read(at)
        with self._lock:
            state = self._state
            self._see(counters)
            signals = signals_of(state.before, counters, state.heat)
            state.before = counters
            objective = self._objective()
            plans = [plan for plan in self.plans if plan.fits(from_sound=from_sound, again=again)]
            situation = self._situation(at, speech_s, objective.p95_ms, signals, objective, plans)
            return Status(
                at,
                signals,
                slowdown(signals, self.profile.at_clock),
                state.belief,
                situation.forecasts,
                state.history,
                state.picks,
                state.late,
                state.too_slow,
            )

    def _situation(
        self,
        at: float,
        speech_s: float,
        budget_ms: float,
        signals: Signals,
        objective: Objective,
        plans: Sequence[Plan],
    ) -> Situation:
        slow, plans = slowdown(signals, self.profile.at_clock), plans or self.plans
        fallback = fallback_of(plans)
        forecasts = sorted(
            (self._forecast(plan, speech_s, slow, signals, at, fallback) for plan in plans), key=lambda f: f.likely_ms
        )
        return Situation(at, speech_s, budget_ms, tuple(forecasts), signals, self._state.history, objective)

    def _forecast(
        self, plan: Plan, speech_s: float, slow: float, signals: Signals, at: float, fallback: float
    ) -> Forecast:
        cost = self.profile.costs[plan.name]
        found = predict(cost, speech_s, slow, self._state.belief, at)
        missing = self._ready(plan)
        free_mb = signals.available_mb
        if not missing and plan.resident_mb and free_mb is not None and free_mb < plan.resident_mb + RESERVE_MB:
            missing = f"{free_mb:.0f} MB of memory are free"
        energy_mj = cost.energy_mj * max(speech_s, 0.1)
        reach = reach_of(plan, self.profile, speech_s)
        return Forecast(plan, found.likely_ms, found.late_ms, energy_mj, missing, reach, fallback, found.sigma)

    def _correction(self, running: _Running, measured_ms: float) -> Profile | None:
        """Estimates corrected once enough is known (the lock is held); the belief then starts afresh."""
        if not self.profile.estimated or running.cost.n or running.slow > QUIET_SLOWDOWN or measured_ms <= 0:
            return None
        ratios = self._state.ratios
        ratios.append(math.log(measured_ms / running.cost.time_ms(running.speech_s)))
        if len(ratios) < CORRECTED_AFTER:
            return None
        self.profile = corrected(self.profile, ratios, self._clock.wall())
        self._state.belief = Belief()
        self._state.ratios = []
        return self.profile

    def _measure(self, calibrate: Calibrate) -> None:
        """Measure, unless somebody begins to speak meanwhile."""
        between = self._state.between
        began = between.used_at
        found = calibrate(lambda: between.used_at != began)
        if found is None:
            return
        with self._lock:
            self.profile, self._state.belief, self._state.ratios = found, Belief(), []
        log.info("this board was measured while nobody spoke")
        self._keep(found)

    def _see(self, counters: Counters) -> None:
        """Note the heat (the lock is held)."""
        self._state.heat = thermal.remembered(self._state.heat, counters.at, counters.temperature_c)
        before = self._state.before
        if before is not None and before.at > counters.at:  # the clock went back
            self._state.before = None

    def _complain(self, choice: Choice, at: float) -> None:
        """Tell the user, once, that nothing is fast enough (the lock is held)."""
        state = self._state
        if not choice.too_slow:
            return
        state.too_slow += 1
        if state.told_at is None or at - state.told_at > TOO_SLOW_AGAIN_S:
            within = f"{self._objective().p95_ms:.0f} ms"
            self._tell(f"this board is too slow for answers within {within} at the moment: {choice.reason}")
        state.told_at = at


def _watch(scheduler: weakref.ref[Scheduler], every_s: float) -> None:
    while True:
        time.sleep(every_s)
        watched = scheduler()
        if watched is None:
            return
        watched.look()
        del watched
