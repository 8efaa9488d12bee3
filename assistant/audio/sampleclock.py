"""The time of each sample, and samples that got lost unseen, from how many had arrived when.

Callbacks come late, never early: the least lateness within a window shows the true offset between the device's clock
and ours (the minimum filter of clock synchronisation, e.g. RFC 5905, section 10). It follows a device's drift slowly;
when it leaps and stays, samples are missing, which PortAudio's overflow flag never tells through a sound server.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 2.0
LOSS_S = 0.1  # smaller leaps are taken for a server that buffers more than before
DRIFT = 500e-6  # a crystal is off by 100 ppm at most, two by 200


class SampleClock:
    """Fed with (monotonic time, samples arrived) after each arrival; both never decrease."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._origin: float | None = None
        self._offset_s = 0.0
        self._last_at = 0.0
        self._window: deque[tuple[float, float]] = deque()  # (time, lateness), lateness rising: its head is the minimum
        self._window_began = 0.0

    def observe(self, at: float, arrived: int) -> int:
        """Note that `arrived` samples in all were there at `at`. Return how many are found lost, usually 0."""
        if self._origin is None:
            self._origin = at - arrived / self._rate_hz
            self._window_began = self._last_at = at
        late_s = at - self._origin - arrived / self._rate_hz
        while self._window and self._window[-1][1] >= late_s:
            self._window.pop()
        self._window.append((at, late_s))
        while self._window[0][0] < at - WINDOW_S:
            self._window.popleft()
        least_s = self._window[0][1]
        rise_s = least_s - self._offset_s
        elapsed_s, self._last_at = at - self._last_at, at
        if rise_s > LOSS_S and at - self._window_began >= WINDOW_S:
            self._offset_s = least_s
            self._window_began = at
            return round(rise_s * self._rate_hz)
        self._offset_s += min(rise_s, DRIFT * elapsed_s)
        return 0

    def time_of(self, sample: int) -> float:
        """Monotonic time at which sample number `sample` (lost ones not counted) was recorded."""
        if self._origin is None:
            raise ValueError("no sample has arrived yet")
        return self._origin + self._offset_s + sample / self._rate_hz
