"""Whether a policy of the scheduler keeps its protocol: pure, choosing what is there, and not flapping.

>>> from assistant.schedule.policy import Slo
>>> check_policy(Slo())
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from assistant.schedule.plans import PLANS
from assistant.schedule.policy import (
    MINUTE_S,
    MOST_SWITCHES,
    Choice,
    Forecast,
    History,
    Objective,
    Policy,
    Situation,
)
from assistant.schedule.signals import Signals
from assistant.testing.conformance import NonConformance

MOMENTS = 300
BUDGET_MS = 400.0


def check_policy(policy: Policy) -> None:
    """Put `policy` into made-up situations of changing load. Raises NonConformance that lists every fault.

    It checks that the same situation gives the same choice, that a plan that cannot run is not chosen, that the history
    is carried on, and that the plan changes at most six times in any minute.
    """
    name = getattr(policy, "name", "")
    if not isinstance(policy, Policy) or not isinstance(name, str) or not name:
        raise NonConformance(f"policy {policy!r}", ["it needs a `name` and a method `choose`"])
    faults = list(dict.fromkeys(_faults(policy)))
    if faults:
        raise NonConformance(f"policy {name!r}", faults)


def _faults(policy: Policy) -> Iterator[str]:
    draw = random.Random(0)
    history, at, changes, before = History(), 1000.0, list[float](), ""
    for _ in range(MOMENTS):
        at += draw.uniform(0.5, 15.0)
        situation = _situation(draw, at, history, before)
        choice: Any = policy.choose(situation)
        if not isinstance(choice, Choice):
            yield f"`choose` gives {type(choice).__name__}, not a Choice"
            return
        if policy.choose(situation) != choice:
            yield "the same situation gives another choice: `choose` must depend on nothing else"
        if choice.forecast not in situation.forecasts:
            yield "it chooses what was not among the forecasts"
        elif choice.forecast.missing:
            yield "it chooses a plan that cannot run"
        if not choice.reason:
            yield "it gives no reason"
        if choice.history.plan != choice.plan.name:
            yield "its history does not name the plan that runs (`switched` makes it)"
        if before and choice.plan.name != before:
            changes = [t for t in changes if at - t < MINUTE_S] + [at]
            if len(changes) > MOST_SWITCHES:
                yield f"the plan changed {len(changes)} times in a minute; at most {MOST_SWITCHES} are allowed"
        history, before = choice.history, choice.plan.name


def _situation(draw: random.Random, at: float, history: History, before: str) -> Situation:
    slow = draw.choice((0.5, 1.0, 3.0, 20.0))
    forecasts = tuple(Forecast(plan, 40.0 * slow * n, 60.0 * slow * n, 5.0 * n) for n, plan in enumerate(PLANS, 1))
    gone = draw.randrange(1, len(PLANS))
    forecasts = tuple(
        replace(f, missing="its file is gone") if n == gone and f.plan.name != before else f
        for n, f in enumerate(forecasts)
    )
    signals = Signals(pressure=draw.random(), cores=4.0)
    return Situation(at, 2.0, BUDGET_MS, forecasts, signals, history, Objective(p95_ms=BUDGET_MS))
