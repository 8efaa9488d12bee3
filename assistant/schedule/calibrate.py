"""Measures what each plan costs on this board: every plan on every utterance in turn, within a time.

Taking turns lets whatever else the machine does hit all plans alike. Times are CPU times of the deciding thread where
the engine uses one: what it would take on the idle board.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.schedule.board import Board
from assistant.schedule.plans import Plan
from assistant.schedule.profile import Cost, fit
from assistant.types import Utterance

MOST_S = 150.0
"""Speaking and loading beside it, the whole stays below three minutes."""
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


def _cost(plan: Plan, readings: list[tuple[float, float]], watts: float | None, typical_w: float) -> Cost:
    from msgspec.structs import replace

    cost = fit(readings, memory_mb=plan.resident_mb, power_w=typical_w if watts is None else watts)
    return replace(cost, energy_measured=watts is not None)
