"""When a connection is tried again: a table over frozen events, without socket or clock.

    OFF ──Start──► CONNECTING ──Connected──► CONNECTED
                    ▲      │ Failed, Refused      │ Failed, Refused
              Look: │      ▼                      │
                due └─── WAITING ◄────────────────┘           Stop: any state ──► STOPPED

A peer that is away is asked again soon and then every few seconds, with a random part, so that a house full of
assistants does not fall upon a broker that has just started. One that refuses (password, certificate) is asked rarely
from the first time: it takes a person to change that, and some brokers lock out those who insist.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NoReturn, Union, get_args

from assistant.transitions import Table, always, row

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 4.0
"""So that all is well again within five seconds of the peer's return; an attempt costs milliseconds."""
REFUSED_BACK_OFF_S = 300.0
STABLE_AFTER_S = 10.0
"""A connection that lasted shorter counts as one more failure: a peer that takes and drops it at once is not well."""


class State(enum.Enum):
    """Where a connection stands."""

    OFF = "off"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Start:
    """A connection is wanted."""

    at: float


@dataclass(frozen=True, slots=True)
class Connected:
    """The peer is there and has let us in."""

    at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The peer is not there, or no longer. why: in words. spread: random, 0..1."""

    at: float
    why: str = ""
    spread: float = 1.0


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer is there and does not let us in, or is not who it should be. spread: random, 0..1."""

    at: float
    why: str = ""
    spread: float = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """Time passes."""

    at: float


@dataclass(frozen=True, slots=True)
class Stop:
    """The connection is not wanted any more."""

    at: float


Event = Union[Start, Connected, Failed, Refused, Look, Stop]


@dataclass(frozen=True, slots=True)
class Link:
    """All that the table remembers.

    since: monotonic time at which `state` was entered. failures: attempts in a row that brought nothing lasting.
    retry_at: monotonic time of the next attempt, while WAITING. why: what went wrong last.
    """

    state: State = State.OFF
    since: float = 0.0
    failures: int = 0
    retry_at: float = 0.0
    why: str = ""


def step(link: Link, event: Event) -> Link:
    """The link after `event`. What no row names changes nothing."""
    taken = TABLE.fitting(link.state, link, event)
    return _entered(link, taken.to, event) if taken else link


def back_off_s(failures: int, spread: float) -> float:
    """Wait before the next attempt: doubled with each failure up to four seconds; its upper half is random."""
    longest = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** min(failures, 16))
    return float(longest * (0.5 + 0.5 * spread))


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram()


def due(link: Link, event: Look) -> bool:
    """The back-off has passed."""
    return event.at >= link.retry_at


ALIVE = (State.OFF, State.CONNECTING, State.CONNECTED, State.WAITING)

TABLE: Table[State, Link, Event, NoReturn] = Table(
    start=State.OFF,
    events=get_args(Event),
    rows=(
        row((State.OFF,), Start, always, State.CONNECTING),
        row((State.CONNECTING,), Connected, always, State.CONNECTED),
        row((State.CONNECTING, State.CONNECTED), Failed, always, State.WAITING),
        row((State.CONNECTING, State.CONNECTED), Refused, always, State.WAITING),
        row((State.WAITING,), Look, due, State.CONNECTING),
        row(ALIVE, Stop, always, State.STOPPED),
    ),
    final=(State.STOPPED,),
)


def _entered(link: Link, state: State, event: Event) -> Link:
    entered = replace(link, state=state, since=event.at)
    if isinstance(event, Connected):
        return replace(entered, why="")
    if not isinstance(event, (Failed, Refused)):
        return entered
    lasted = link.state is State.CONNECTED and event.at - link.since >= STABLE_AFTER_S
    failures = 0 if lasted else link.failures
    if isinstance(event, Refused):
        wait_s = REFUSED_BACK_OFF_S * (0.5 + 0.5 * event.spread)
    else:
        wait_s = back_off_s(failures, event.spread)
    return replace(entered, failures=failures + 1, retry_at=event.at + wait_s, why=event.why)
