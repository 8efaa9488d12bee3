"""Notices two things about time: that this process stood still for a while, and that the wall clock jumped. Pure."""

from __future__ import annotations

from dataclasses import dataclass

STALL_S = 3.0
"""A look that is so much late was not merely crowded out: the process was stopped, or the board hung."""
JUMP_S = 10.0
"""So far the wall clock runs away from the monotonic one in no second by itself: it was set, or the board slept."""


@dataclass(frozen=True, slots=True)
class Look:
    """Both clocks at one moment, seconds."""

    monotonic: float
    wall: float


@dataclass(slots=True)
class Timekeeping:
    """Told of each look. stalls, jumps: how often each was noticed so far."""

    every_s: float
    stalls: int = 0
    jumps: int = 0
    _before: Look | None = None

    def note(self, look: Look) -> str:
        """What has happened since the look before, in words; "" where nothing has."""
        before, self._before = self._before, look
        if before is None:
            return ""
        passed_s = look.monotonic - before.monotonic
        jump_s = look.wall - before.wall - passed_s
        said = []
        if passed_s > self.every_s + STALL_S:
            self.stalls += 1
            said.append(f"the process stood still for {passed_s - self.every_s:.0f} s")
        if abs(jump_s) > JUMP_S:
            self.jumps += 1
            said.append(f"the clock was set {'forward' if jump_s > 0 else 'back'} by {abs(jump_s):.0f} s")
        return "; ".join(said)
