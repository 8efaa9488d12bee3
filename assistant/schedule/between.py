"""What is to be done between utterances: give the recogniser's memory back, listen at less cost, measure the board.

Decides only; `assistant.schedule.scheduler` does it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.schedule.ambient import Ambient, followed
from assistant.schedule.board import Counters
from assistant.schedule.policy import Objective, may_rest
from assistant.schedule.signals import signals_of, slowdown
from assistant.schedule.thermal import Reading

QUIET_SLOWDOWN = 1.05
"""Up to here nothing presses."""
MEASURES_AFTER_S = 600.0
"""When nobody has spoken for so long and nothing presses, a board that is only estimated is measured."""
MEASURES_AGAIN_S = 6 * 3600.0
"""Where that came to nothing."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """rests: unload the recogniser. spares: the cheap rooms are to run. measures: measure this board."""

    rests: bool
    spares: bool
    measures: bool


@dataclass(slots=True)
class Between:
    """What it knows. used_at: when somebody spoke last, monotonic seconds; None before the first look."""

    used_at: float | None = None
    resting: bool = False
    ambient: Ambient = field(default_factory=Ambient)
    looked: Counters | None = None
    measured_at: float | None = None

    def spoke(self, at: float) -> None:
        """Somebody speaks."""
        self.used_at, self.resting = at, False

    def due(self, counters: Counters, heat: Sequence[Reading], objective: Objective, *, estimated: bool) -> Due:
        """What is due after a look at the board. estimated: its profile was never measured."""
        signals, before = signals_of(self.looked, counters, heat), self.ambient
        self.looked = counters
        self.ambient = followed(before, signals, objective.max_temperature_c, counters.at)
        if self.ambient.sparing and not before.sparing:
            log.info("it listens at less cost from now on (%s)", self.ambient.reason)
        elif before.sparing and not self.ambient.sparing:
            log.info("it listens as configured again")
        if self.used_at is None or counters.at < self.used_at:  # it has just begun, or the clock went back
            self.used_at = counters.at
        idle_s = counters.at - self.used_at
        rests = not self.resting and may_rest(objective, idle_s, counters.available_mb)
        self.resting = self.resting or rests
        calm = slowdown(signals) <= QUIET_SLOWDOWN and not signals.throttled and not self.ambient.sparing
        measures = (
            estimated and calm and not self.resting and idle_s >= MEASURES_AFTER_S and self._long_ago(counters.at)
        )
        if measures:
            self.measured_at = counters.at
        return Due(rests, self.ambient.sparing, measures)

    def _long_ago(self, at: float) -> bool:
        """Whether it was not tried to measure a moment ago."""
        return self.measured_at is None or not 0 <= at - self.measured_at < MEASURES_AGAIN_S
