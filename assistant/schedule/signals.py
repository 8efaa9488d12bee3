"""The board's state in numbers that decide: two readings become rates, rates become a slowdown and a few words.

Pure. `slowdown` says how much longer the same work takes than on this board when it is idle; it is a first guess,
which the times that utterances really take correct (`assistant.schedule.predict`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from assistant.schedule import thermal
from assistant.schedule.board import Counters
from assistant.schedule.thermal import Reading

SHORTEST_S = 0.05
"""Two readings closer than this give no rate."""
LONGEST_S = 120.0
"""Two further apart than this (a suspended board, a clock that jumped) give none either."""
MOST_SLOWDOWN = 50.0
NICED_YIELD = 0.9
"""Part of a core that a program at nice 10 leaves to one at nice 0: the kernel weighs them 110 to 1024."""
BUSY = 0.9
"""Share of a core that must be free for one more task to run undisturbed."""
PRESSED = 0.10
"""CPU pressure below this is not worth a word."""
UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1, 2, 4, 8
"""get_throttled, what is the case now: too little voltage, clock capped, throttled, soft temperature limit."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known at one moment; None is unknown.

    pressure, pressure_full: share of the time in which some task, or all, waited for a core, 0..1 (PSI).
    memory_pressure: share in which all waited for memory. others: cores that others use; niced: of these, programs
    that yield to us. cores: that we may use.
    running: tasks of others that want a core. quota_cores: our limit. held_back: share of the time it held us back.
    available_mb; temperature_c, trend_c_per_s, throttles_in_s: see thermal.py. frequency_share: clock allowed, 0..1.
    throttled_bits, power_w, battery, on_battery, power_mode, under_voltage: see board.py.
    waiting: utterances that ended before this one and are not decided yet.
    """

    pressure: float | None = None
    pressure_full: float | None = None
    memory_pressure: float | None = None
    others: float | None = None
    niced: float | None = None
    cores: float | None = None
    running: float | None = None
    quota_cores: float | None = None
    held_back: float | None = None
    available_mb: float | None = None
    temperature_c: float | None = None
    trend_c_per_s: float | None = None
    throttles_in_s: float | None = None
    frequency_share: float | None = None
    throttled_bits: int | None = None
    power_w: float | None = None
    battery: float | None = None
    on_battery: bool | None = None
    power_mode: str | None = None
    under_voltage: bool | None = None
    waiting: int = 0

    @property
    def numbers(self) -> Mapping[str, float]:
        """What is known, as numbers by name, for the trace."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: float(value) for name, value in known.items() if isinstance(value, (bool, int, float))}

    @property
    def throttled(self) -> bool:
        """The board slows itself down now."""
        bits = self.throttled_bits or 0
        return bool(bits & (CAPPED | THROTTLED | SOFT_LIMIT)) or self.throttles_in_s == 0.0


def signals_of(before: Counters | None, now: Counters, heat: Sequence[Reading] = (), waiting: int = 0) -> Signals:
    """The signals at `now`, rates since `before`; heat: the hottest zone's last readings, this one included."""
    seconds = now.at - before.at if before is not None else 0.0
    if before is None or not SHORTEST_S <= seconds <= LONGEST_S:
        before, seconds = now, 1.0

    def rate(name: str) -> float | None:
        one, two = getattr(before, name), getattr(now, name)
        if one is None or two is None or two < one or before is now:
            return None
        return float(two - one) / seconds

    busy, own = rate("busy_s"), rate("own_s")
    return Signals(
        pressure=_share(rate("some_s")),
        pressure_full=_share(rate("full_s")),
        memory_pressure=_share(rate("memory_full_s")),
        others=None if busy is None else max(busy - (own or 0.0), 0.0),
        niced=rate("niced_s"),
        cores=now.cores,
        running=_mean(before.running, now.running),
        quota_cores=now.quota_cores,
        held_back=_share(rate("throttled_s")),
        available_mb=now.available_mb,
        temperature_c=now.temperature_c,
        trend_c_per_s=thermal.trend_c_per_s(heat),
        throttles_in_s=thermal.seconds_until(heat, now.trip_c),
        frequency_share=now.frequency_share,
        throttled_bits=now.throttled_bits,
        power_w=now.power_w,
        battery=now.battery,
        on_battery=now.on_battery,
        power_mode=now.power_mode,
        under_voltage=now.under_voltage or (None if now.throttled_bits is None else bool(now.throttled_bits & 1)),
        waiting=waiting,
    )


def by_ratio(share: float) -> float:
    """How many times longer work takes at `share` of the highest clock, where nothing was measured."""
    return 1 / share


def slowdown(signals: Signals, at_clock: Callable[[float], float] = by_ratio) -> float:
    """How many times longer one thread of ours takes now than on the idle board, 1 or more.

    A task beside n others on c cores gets c / (n + 1) of one under a fair scheduler, and whatever is idle; a limit of
    q cores stretches everything by 1 / q; a lower clock by its ratio, or as `at_clock` has it measured. Programs that
    yield hardly count.
    """
    share = 1.0
    if signals.cores and signals.others:
        yielding = min((signals.niced or 0.0) / signals.others, 1.0) * NICED_YIELD
        others = signals.others * (1 - yielding)
        rivals = max(signals.running or 0.0, float(math.ceil(round(signals.others, 1)))) * (1 - yielding)
        idle = signals.cores - others
        if idle < BUSY:
            share = max(min(signals.cores / (rivals + 1.0), 1.0), idle, 1 / MOST_SLOWDOWN)
    quota = min(signals.quota_cores or 1.0, 1.0)
    clock = min(signals.frequency_share or 1.0, 1.0)
    return min(at_clock(clock) / min(share, quota), MOST_SLOWDOWN)


def in_words(signals: Signals) -> str:
    """What presses, for a person: "CPU pressure 62 % and 71 °C rising"; "" where nothing does."""
    said = []
    if signals.pressure is not None and signals.pressure >= PRESSED:
        said.append(f"CPU pressure {signals.pressure:.0%}")
    if signals.quota_cores is not None and signals.quota_cores < 1:
        said.append(f"a limit of {signals.quota_cores:.0%} of a core")
    if signals.frequency_share is not None and signals.frequency_share < 0.95:
        said.append(f"the clock at {signals.frequency_share:.0%}")
    if signals.temperature_c is not None and (signals.throttles_in_s is not None or signals.throttled):
        rising = " rising" if (signals.trend_c_per_s or 0) > 0 else ""
        said.append(f"{signals.temperature_c:.0f} °C{rising}")
    if signals.memory_pressure is not None and signals.memory_pressure >= PRESSED:
        said.append(f"memory pressure {signals.memory_pressure:.0%}")
    if signals.under_voltage:
        said.append("too little voltage")
    if signals.waiting:
        said.append(f"{signals.waiting} waiting")
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _share(value: float | None) -> float | None:
    return None if value is None else min(max(value, 0.0), 1.0)


def _mean(one: float | None, two: float | None) -> float | None:
    known = [value for value in (one, two) if value is not None]
    return sum(known) / len(known) if known else None
