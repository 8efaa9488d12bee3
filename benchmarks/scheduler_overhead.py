"""What the scheduler itself costs: time of a choice, share of a core, memory, a change of plan; changes in a minute.

CPU times, so that a busy machine changes little; the board that is read is this one.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from assistant.clock import SystemClock
from assistant.schedule.board import Board
from assistant.schedule.policy import MINUTE_S, Forecast, History, Objective, Situation, Slo
from assistant.schedule.priors import estimate
from assistant.schedule.profile import this_board
from assistant.schedule.scheduler import WATCH_EVERY_S, Scheduler
from assistant.schedule.signals import Signals
from benchmarks.scoring import percentiles

if TYPE_CHECKING:
    from assistant.schedule.plans import Plan
    from assistant.types import Utterance
    from assistant.understander import Understander

CHOICES = 300
LOOKS = 100
SWITCHES = 8
"""Pairs of decodes after a change and without one."""
SPEECH_S = 3.0
ADVERSARIAL = 20_000
"""Utterances under load that is drawn anew for each."""
TARGETS = {"choice_ms": 1.0, "share_of_a_core": 0.001, "memory_mb": 5.0, "switch_ms": 10.0, "switches_a_minute": 6}


def measure(understander: Understander, plans: Sequence[Plan], heard: Sequence[Utterance]) -> dict[str, Any]:
    """All of it, with the targets."""
    tracemalloc.start()
    before = _traced_mb()
    scheduler = _scheduler(plans)
    choices = [_choice_ms(scheduler) for _ in range(CHOICES)]
    memory_mb = _traced_mb() - before
    tracemalloc.stop()
    del choices
    scheduler = _scheduler(plans)
    choice_ms = percentiles([_choice_ms(scheduler) for _ in range(CHOICES)])
    looks_ms = percentiles([_cpu_ms(scheduler.look) for _ in range(LOOKS)])
    return {
        "choice_ms": choice_ms,
        "look_ms": looks_ms,
        "share_of_a_core": looks_ms["p50"] / 1000 / WATCH_EVERY_S,
        "memory_mb": round(memory_mb, 2),
        "switch_ms": _switch_ms(understander, plans, heard),
        "switches_a_minute": most_switches(plans),
        "targets": TARGETS,
    }


def most_switches(plans: Sequence[Plan], seed: int = 0) -> int:
    """The most changes of plan in any minute when load, heat and what is there are drawn anew for each utterance."""
    draw = random.Random(seed)
    policy, history, at, changes, most = Slo(), History(), 0.0, list[float](), 0
    for _ in range(ADVERSARIAL):
        at += draw.choice((0.2, 2.0, 8.0, 15.0))
        slow = draw.choice((0.5, 1.0, 3.0, 20.0))
        forecasts = tuple(Forecast(plan, 40.0 * slow * n, 60.0 * slow * n) for n, plan in enumerate(plans, 1))
        signals = draw.choice((Signals(), Signals(throttled_bits=4), Signals(temperature_c=90.0)))
        choice = policy.choose(Situation(at, 2.0, 400.0, forecasts, signals, history, Objective()))
        if history.plan and choice.plan.name != history.plan:
            changes = [t for t in changes if at - t < MINUTE_S] + [at]
            most = max(most, len(changes))
        history = choice.history
    return most


def _scheduler(plans: Sequence[Plan]) -> Scheduler:
    return Scheduler(estimate(plans, this_board()), SystemClock(), Board(), plans=plans, tell=lambda _line: None)


def _choice_ms(scheduler: Scheduler) -> float:
    """One utterance of the scheduler: its beginning, the choice, and learning from it."""

    def utterance() -> None:
        scheduler.begin()
        scheduler.note(scheduler.choose(SPEECH_S, from_sound=True), 50.0)

    return _cpu_ms(utterance)


def _switch_ms(understander: Understander, plans: Sequence[Plan], heard: Sequence[Utterance]) -> float:
    """How much longer the first utterance after a change takes than the same without one: median over changes."""
    one, two = plans[len(plans) // 2], plans[-1]

    def hear(plan: Plan, utterance: Utterance) -> float:
        return _cpu_ms(
            lambda: understander.hear(utterance, understander.prepared, plan.effort, plan.fused, lambda: False)
        )

    more = []
    for utterance in heard[:SWITCHES]:
        hear(two, utterance)
        changed = hear(one, utterance)
        more.append(changed - hear(one, utterance))
    return round(max(statistics.median(more), 0.0), 2)


def _cpu_ms(job: Callable[[], object]) -> float:
    before_s = time.thread_time()
    job()
    return 1000 * (time.thread_time() - before_s)


def _traced_mb() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / (1 << 20)


def lines(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows for people: what, measured, at most."""
    return [
        ("a choice, CPU ms an utterance (median)", f"{found['choice_ms']['p50']:.2f}", "1"),
        ("between utterances, share of a core", f"{found['share_of_a_core']:.4%}", "0.1 %"),
        ("memory, MB", f"{found['memory_mb']:.2f}", "5"),
        ("a change of plan, CPU ms", f"{found['switch_ms']:.1f}", "10"),
        ("changes in any minute under drawn load", str(found["switches_a_minute"]), "6"),
    ]
