"""How dearly the rooms listen and speak that run all the time: voice activity, front end, voice.

They are too slow to change for one utterance, so they follow lasting load or heat, and come back later than they went.
Pure: two readings of the board become a state; whoever builds the rooms exchanges them between utterances.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.schedule.signals import Signals

PRESSED, RELIEVED = 0.5, 0.2
"""CPU pressure (share of the time in which some task waits) from which it spares, and up to which it does not."""
SPARES_AFTER_S = 30.0
RETURNS_AFTER_S = 120.0
COOLER_C = 5.0
"""It comes back so much below the temperature at which it spares."""


@dataclass(frozen=True, slots=True)
class Ambient:
    """sparing: the cheap rooms run. since: from when on the board has asked for the other state; None: it does not.

    reason: why it is so, for a person.
    """

    sparing: bool = False
    since: float | None = None
    reason: str = ""


def followed(now: Ambient, signals: Signals, max_temperature_c: float, at: float) -> Ambient:
    """The state after `signals` at `at`, monotonic seconds. What is not known neither presses nor relieves."""
    asks = _relieved(signals, max_temperature_c) if now.sparing else _presses(signals, max_temperature_c)
    if not asks:
        return Ambient(now.sparing, None, now.reason)
    since = at if now.since is None or at < now.since else now.since
    if at - since < (RETURNS_AFTER_S if now.sparing else SPARES_AFTER_S):
        return Ambient(now.sparing, since, now.reason)
    return Ambient(not now.sparing, None, "" if now.sparing else asks)


def _presses(signals: Signals, max_temperature_c: float) -> str:
    """What asks to spare, "" where nothing does."""
    if signals.temperature_c is not None and signals.temperature_c >= max_temperature_c:
        return f"{signals.temperature_c:.0f} °C"
    if signals.throttled:
        return "the board throttles itself"
    if signals.pressure is not None and signals.pressure >= PRESSED:
        return f"CPU pressure {signals.pressure:.0%}"
    return ""


def _relieved(signals: Signals, max_temperature_c: float) -> str:
    """Whether all is well again: nothing is hot, and something is known of the load."""
    warm = signals.temperature_c is not None and signals.temperature_c > max_temperature_c - COOLER_C
    if warm or signals.throttled or signals.pressure is None or signals.pressure > RELIEVED:
        return ""
    return "relieved"
