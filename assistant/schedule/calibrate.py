"""Measures what each plan costs on this board: every plan on every utterance in turn, and some at lower clocks.

Taking turns lets whatever else the machine does hit all plans alike. Times are CPU times of the deciding thread where
the engine uses one: what it would take on the idle board.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.schedule.board import Board
from assistant.schedule.frequency import Clock
from assistant.schedule.plans import Plan
from assistant.schedule.profile import AtClock, Cost, fit
from assistant.types import Utterance

MOST_S = 110.0
"""Speaking, loading and the lower clocks beside it, the whole stays below three minutes."""
CLOCKS_MOST_S = 40.0
CLOCK_UTTERANCES = 3
SETTLES_S = 0.2
"""A new limit of the clock takes effect within this time."""
WARM_UP = 1
LEAST = 4
"""Utterances that are measured even where they take longer than that."""

Run = Callable[[Plan, Utterance], None]
"""Decodes an utterance with a plan."""


@dataclass(frozen=True, slots=True)
class Measured:
    """costs: by plan. n: utterances. watts: of the board while it decoded, above what it took before; None unknown."""

    costs: dict[str, Cost]
    n: int
    watts: float | None


def measure(
    plans: Sequence[Plan],
    utterances: Sequence[Utterance],
    run: Run,
    board: Board,
    *,
    one_thread: bool = True,
    most_s: float = MOST_S,
    typical_w: float = 1.0,
    advance: Callable[[float], None] = lambda _amount: None,
) -> Measured:
    """The costs of `plans`. typical_w: power of a busy core, where the board does not tell. Raises InputError."""
    clock = time.thread_time if one_thread else time.perf_counter
    idle_w = board.read(0.0).power_w
    for utterance in utterances[:WARM_UP]:
        for plan in plans:
            run(plan, utterance)
    readings: dict[str, list[tuple[float, float]]] = {plan.name: [] for plan in plans}
    powers: list[float] = []
    began_s, n = time.perf_counter(), 0
    for n, utterance in enumerate(utterances, 1):
        for plan in plans:
            before_s = clock()
            run(plan, utterance)
            ms = 1000 * (clock() - before_s)
            readings[plan.name].append((utterance.speech_end_s - utterance.speech_start_s, ms))
        if idle_w is not None and (power_w := board.read(0.0).power_w) is not None:
            powers.append(power_w)
        advance(1)
        if time.perf_counter() - began_s > most_s and n >= LEAST:
            break
    watts = max(sum(powers) / len(powers) - (idle_w or 0.0), 0.0) if powers else None
    costs = {plan.name: _cost(plan, readings[plan.name], watts, typical_w) for plan in plans}
    return Measured(costs, n, watts)


def measure_clocks(
    clock: Clock,
    plans: Sequence[Plan],
    utterances: Sequence[Utterance],
    run: Run,
    board: Board,
    *,
    timer: Callable[[], float] = time.thread_time,
    most_s: float = CLOCKS_MOST_S,
    settles_s: float = SETTLES_S,
) -> tuple[AtClock, ...]:
    """How much longer the cheapest and the dearest of `plans` take at lower clocks; the limit is put back at the end.

    Empty where that is not permitted, or the board has one clock.
    """
    if not clock.permitted():
        return ()
    pairs = [(plan, utterance) for utterance in utterances[:CLOCK_UTTERANCES] for plan in (plans[0], plans[-1])]
    idle_w = board.read(0.0).power_w

    def times_s() -> list[float]:
        found = []
        for plan, utterance in pairs:
            before_s = timer()
            run(plan, utterance)
            found.append(timer() - before_s)
        return found

    began_s, measured = time.perf_counter(), []
    with clock.held():
        usual_s = times_s()
        for share in clock.steps():
            if time.perf_counter() - began_s > most_s:
                break
            clock.at(share)
            time.sleep(settles_s)
            factor = statistics.median(t / max(u, 1e-6) for t, u in zip(times_s(), usual_s, strict=True))
            power_w = board.read(0.0).power_w
            above_w = None if power_w is None or idle_w is None else round(max(power_w - idle_w, 0.0), 2)
            measured.append(AtClock(share=round(share, 4), factor=round(max(factor, 1.0), 3), power_w=above_w))
    return tuple(measured)


def _cost(plan: Plan, readings: list[tuple[float, float]], watts: float | None, typical_w: float) -> Cost:
    from msgspec.structs import replace

    cost = fit(readings, memory_mb=plan.resident_mb, power_w=typical_w if watts is None else watts)
    return replace(cost, energy_measured=watts is not None)
