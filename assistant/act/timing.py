"""When timers are due: a pure function of the rows and of what the clocks show now, without clock, thread or file.

A timer's length is measured on the monotonic clock, so that a wall clock that is set neither shortens nor stretches it.
That clock ends with the power: after a restart of the machine the wall clock decides, but never beyond the timer's own
length, because a board without a battery may wake up years ago. An alarm follows the wall clock always.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assistant.act.when import ago_in_words, as_adjective, seconds_in

LATE_S = 10.0
"""A timer that is said so much after its end is said to be late."""

RING_S = 60.0
"""So long may it ring before it gives up."""


class Kind(enum.Enum):
    """What a timer follows."""

    TIMER = "timer"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Now:
    """What the clocks show: wall and monotonic, seconds.

    boot: names the time since the machine was switched on. since: monotonic time from which on timers of an earlier
    boot are known to be running.
    """

    wall: float
    monotonic: float
    boot: str
    since: float


@dataclass(frozen=True, slots=True)
class Timer:
    """One timer or alarm.

    length_s: as it was set, additions included. ends_wall: when it ends, seconds since the epoch.
    ends_monotonic: the same on the monotonic clock of `boot`. left_s: while it is paused, what is left, else None.
    rang_wall: since when it rings, else None. label: an alarm's time in words.
    """

    id: int
    name: str
    kind: Kind
    length_s: float
    ends_wall: float
    ends_monotonic: float
    boot: str
    left_s: float | None = None
    rang_wall: float | None = None
    label: str = ""

    @property
    def ringing(self) -> bool:
        """It has ended and was announced, and nobody has stopped it."""
        return self.rang_wall is not None

    @property
    def title(self) -> str:
        """As it is called: "pasta timer", "5 minute timer", "7:30 AM alarm"."""
        return f"{self.name or self.label or as_adjective(self.length_s)} {self.kind.value}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is to be done now: `due` timers announced, `over` ones forgotten; then look again in `wait_s`."""

    due: tuple[Timer, ...]
    over: tuple[Timer, ...]
    wait_s: float


def started(now: Now, length_s: float, name: str = "") -> Timer:
    """A timer of `length_s` from now; its id is given when it is stored."""
    return Timer(0, name, Kind.TIMER, length_s, now.wall + length_s, now.monotonic + length_s, now.boot)


def alarm(now: Now, at: float, label: str, name: str = "") -> Timer:
    """An alarm at the moment `at`."""
    return Timer(0, name, Kind.ALARM, at - now.wall, at, now.monotonic + at - now.wall, now.boot, label=label)


def as_row(timer: Timer, now: Now) -> dict[str, object]:
    """What programs are told of a timer: title, state and seconds left."""
    state = "ringing" if timer.ringing else "running" if timer.left_s is None else "paused"
    return {"title": timer.title, "state": state, "remaining_s": round(remaining_s(timer, now), 1)}


def remaining_s(timer: Timer, now: Now) -> float:
    """What is left, seconds; negative once it is over."""
    if timer.left_s is not None:
        return timer.left_s
    by_wall = timer.ends_wall - now.wall
    if timer.kind is Kind.ALARM:
        return by_wall
    if timer.boot == now.boot:
        return timer.ends_monotonic - now.monotonic
    return min(by_wall, timer.length_s - (now.monotonic - now.since))


def paused(timer: Timer, now: Now) -> Timer:
    """Stopped where it is."""
    return replace(timer, left_s=max(remaining_s(timer, now), 0.0))


def resumed(timer: Timer, now: Now) -> Timer:
    """Going on with what was left."""
    left_s = remaining_s(timer, now)
    return replace(
        timer, left_s=None, ends_wall=now.wall + left_s, ends_monotonic=now.monotonic + left_s, boot=now.boot
    )


def lengthened(timer: Timer, now: Now, seconds: float) -> Timer:
    """With so much more; a negative number shortens it, and to nothing ends it now."""
    left_s = max(max(remaining_s(timer, now), 0.0) + seconds, 0.0)
    length_s = max(timer.length_s + seconds, 0.0)
    if timer.left_s is not None:
        return replace(timer, left_s=left_s, length_s=length_s)
    return replace(resumed(replace(timer, left_s=left_s), now), length_s=length_s)


def schedule(timers: Iterable[Timer], now: Now, longest_s: float) -> Schedule:
    """What is to be done now, and when to look again: after `longest_s` at the latest."""
    due, over, waits = [], [], [longest_s]
    for timer in timers:
        if timer.rang_wall is not None:
            rings_s = now.wall - timer.rang_wall
            if not 0 <= rings_s < RING_S:  # a wall clock that was set ends it too
                over.append(timer)
            else:
                waits.append(RING_S - rings_s)
        elif timer.left_s is None:
            left_s = remaining_s(timer, now)
            if left_s <= 0:
                due.append(timer)
            else:
                waits.append(left_s)
    due.sort(key=lambda timer: remaining_s(timer, now))
    return Schedule(tuple(due), tuple(over), min(waits))


def announcement(timer: Timer, now: Now) -> str:
    """What is said when it is over, or when that is found out late."""
    late_s = -remaining_s(timer, now)
    if timer.kind is Kind.ALARM:
        if late_s > LATE_S:
            return f"Your alarm for {timer.label} was {ago_in_words(late_s)}."
        return f"It is {timer.label}{f': {timer.name}' if timer.name else ''}."
    if late_s > LATE_S:
        return f"Your {timer.title} ended {ago_in_words(late_s)}."
    return f"Your {timer.title} is done."


def chosen(timers: Iterable[Timer], slots: Mapping[str, Any]) -> tuple[Timer, ...]:
    """The timers that the slots `timer_id`, `name`, `start_hours`, `start_minutes`, `start_seconds` can mean.

    Without any of them it is whatever rings, else all.
    """
    pool = tuple(timers)
    if slots.get("timer_id") is not None:
        return tuple(timer for timer in pool if timer.id == slots["timer_id"])
    if slots.get("name"):
        return tuple(timer for timer in pool if timer.name == plain_name(slots["name"]))
    length_s = seconds_in(slots, "start_")
    if length_s is not None:
        return tuple(timer for timer in pool if math.isclose(timer.length_s, length_s, abs_tol=0.5))
    return tuple(timer for timer in pool if timer.ringing) or pool


def plain_name(name: Any) -> str:
    """A name as it is kept: "Pasta timer" is "pasta"."""
    return " ".join(str(name).casefold().split()).removesuffix(" timer").removesuffix(" alarm")
