"""How much of the processor a flood of requests may have: a share of one core, beyond a burst that needs no waiting.

The voice comes first: all requests together get `share` of the event loop's time, and each is told how long to wait for
its turn. Pure; the clock is whoever calls.
"""

from __future__ import annotations

from dataclasses import dataclass

SMOOTHING = 0.1
"""Weight of the newest request in the mean of what one costs."""


@dataclass(slots=True)
class Pace:
    """share: of one core, 0..1. burst_s: so much work is done at once, when there was little before."""

    share: float = 0.2
    burst_s: float = 0.1
    _cost_s: float = 0.001
    _free_at: float = float("-inf")

    def turn(self, now: float) -> float:
        """How long the request that comes at `now` has to wait, seconds; its cost is taken as the mean of late."""
        began = max(self._free_at, now - self.burst_s / self.share)
        self._free_at = began + self._cost_s / self.share
        return max(began - now, 0.0)

    def spent(self, cost_s: float) -> None:
        """A request has cost so much of the loop's time."""
        self._cost_s += SMOOTHING * (cost_s - self._cost_s)
