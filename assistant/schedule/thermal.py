"""When a board will throttle: the temperatures of the last minutes continued along a first-order curve.

A heated body follows T(t) = T_end - (T_end - T_0) e^(-t / tau). With the zone's time constant tau known this is linear
in T_end and T_0, so least squares gives both; the time until the trip point follows. As Android's thermal headroom
does, this acts before the clock falls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

TAU_S = 90.0
"""Time constant of a small board with a passive cooler; twice as much or half changes the forecast's date, not whether
there is one."""
WINDOW_S = 180.0
AT_LEAST_S = 15.0
AT_LEAST = 4
"""Readings, and the time they span, before there is a forecast."""
FURTHEST_S = 600.0
TURNED_C = 1.0
"""By so much a reading must lie on the other side for the body to have turned from cooling to warming, or back."""

Reading = tuple[float, float]
"""Monotonic seconds, °C."""


def remembered(readings: Sequence[Reading], at: float, celsius: float | None) -> tuple[Reading, ...]:
    """`readings` with a new one, those of the window kept; after a jump of the clock backwards only the new one."""
    kept = [r for r in readings if at - WINDOW_S <= r[0] < at]
    if readings and at < readings[-1][0]:
        kept = []
    return (*kept, (at, celsius)) if celsius is not None else tuple(kept)


def trend_c_per_s(readings: Sequence[Reading]) -> float | None:
    """Slope of the least-squares line, °C a second; None where there are too few readings."""
    if not _enough(readings):
        return None
    t, c = (np.array(values) for values in zip(*readings, strict=True))
    t = t - t.mean()
    return float((t @ (c - c.mean())) / (t @ t))


def seconds_until(readings: Sequence[Reading], trip_c: float | None, tau_s: float = TAU_S) -> float | None:
    """Seconds until `trip_c` is reached, 0 at or above it; None where it will not be, or nobody can tell."""
    if trip_c is None or not readings:
        return None
    if readings[-1][1] >= trip_c:
        return 0.0
    if not _enough(readings):
        return None
    readings = _since_it_turned(readings)
    if not _enough(readings) or readings[-1][1] <= readings[0][1]:
        return None
    last = readings[-1][0]
    t, c = (np.array(values) for values in zip(*readings, strict=True))
    decay = np.exp(-(t - last) / tau_s)
    design = np.stack([1 - decay, decay], axis=1)
    (end_c, now_c), *_ = np.linalg.lstsq(design, c, rcond=None)
    if end_c <= trip_c or now_c >= end_c:
        return None
    now_c = min(now_c, trip_c)  # the curve may be there already, the zone is not
    seconds = tau_s * math.log((end_c - now_c) / (end_c - trip_c))
    return seconds if seconds <= FURTHEST_S else None


def _since_it_turned(readings: Sequence[Reading]) -> Sequence[Reading]:
    """The last readings, from where the body began to warm or to cool: before that it followed another curve."""
    warming = readings[-1][1] >= readings[-min(AT_LEAST, len(readings))][1]
    sign = 1 if warming else -1
    first = len(readings) - 1
    for at in range(len(readings) - 2, -1, -1):
        if sign * (readings[at][1] - readings[first][1]) > TURNED_C:
            break
        if sign * (readings[at][1] - readings[first][1]) < 0:
            first = at
    return readings[first:]


def _enough(readings: Sequence[Reading]) -> bool:
    return len(readings) >= AT_LEAST and readings[-1][0] - readings[0][0] >= AT_LEAST_S
