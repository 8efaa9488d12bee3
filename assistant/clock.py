"""The monotonic and the wall clock behind one small protocol, injected everywhere so that tests own time."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time as the rooms see it."""

    def monotonic(self) -> float:
        """Seconds that never go backwards, origin undefined."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until `event` is set or `timeout_s` passed; True if it is set."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)
