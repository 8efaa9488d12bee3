"""A clock that stands still until a test moves it: no test sleeps, none depends on the machine's speed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# How often a waiting thread looks at its event, real seconds: setting a threading.Event tells nobody but its waiters.
_LOOK_EVERY_S = 0.001
# Real seconds after which a test that waits for a state that never comes is told so.
_PATIENCE_S = 30.0


class HeldClock:
    """An `assistant.clock.Clock` whose time passes only by `advance` or `advance_to_next`.

    Threads that `wait` on it go on when their event is set or the held time has reached their deadline.

    >>> clock = HeldClock(monotonic_s=100.0)
    >>> clock.advance(2.5)
    >>> clock.monotonic()
    102.5
    """

    def __init__(self, *, monotonic_s: float = 1_000.0, wall_s: float = 1_700_000_000.0) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._deadlines: list[float] = []
        self._changed = threading.Condition(threading.RLock())

    def monotonic(self) -> float:
        with self._changed:
            return self._monotonic_s

    def wall(self) -> float:
        with self._changed:
            return self._wall_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        with self._changed, self._deadline(self._monotonic_s + timeout_s) as deadline:
            while not event.is_set() and self._monotonic_s < deadline:
                self._changed.wait(_LOOK_EVERY_S)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let `seconds` (not negative) pass on both clocks; waiters whose deadline is reached go on."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        with self._changed:
            self._monotonic_s += seconds
            self._wall_s += seconds
            self._changed.notify_all()

    def advance_to_next(self) -> float:
        """Jump to the nearest deadline of a waiting thread; returns the seconds that passed.

        Raises RuntimeError if no thread waits.
        """
        with self._changed:
            if not self._deadlines:
                raise RuntimeError("no thread is waiting on this clock")
            seconds = max(min(self._deadlines) - self._monotonic_s, 0.0)
            self.advance(seconds)
            return seconds

    def set_wall(self, wall_s: float) -> None:
        """Step the wall clock alone, as NTP does to a board without a battery."""
        with self._changed:
            self._wall_s = wall_s

    def wait_for_waiters(self, count: int = 1) -> None:
        """Return once `count` threads wait on this clock. Raises TimeoutError after 30 real seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._deadlines) >= count, _PATIENCE_S):
                raise TimeoutError(f"{len(self._deadlines)} threads wait on the clock, {count} were expected")

    @contextmanager
    def _deadline(self, at: float) -> Iterator[float]:
        """Count the calling thread among the waiters (the lock is held)."""
        self._deadlines.append(at)
        self._changed.notify_all()
        try:
            yield at
        finally:
            self._deadlines.remove(at)
