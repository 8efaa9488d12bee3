"""When a microphone counts as lost and when it is opened again: a table over frozen events, without device or clock.

    CLOSED ──Start──► OPENING ──Opened──► STARTING ──Look: heard──► RUNNING
                        │  ▲                 │ Look: mute at start     │ Look: silent, stopped, moved
                  Failed│  │Look: due        ▼                         ▼
                        └──┴────────────── WAITING ◄───────────────────┘           Stop: any state ──► ENDED

A lost stream never comes back by itself and PortAudio says nothing (no exception, no flag): callbacks just stop, or the
sound server quietly connects the stream to another microphone.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import get_args

from assistant.transitions import Table, always, row, values

SILENT_AFTER_S = 0.5  # measured on a loaded machine: callback gap p99 40 ms, and the longest without loss 145 ms
MUTE_AFTER_S = 3.0  # first callbacks came 0.6 to 1.6 s after opening
FIRST_BACK_OFF_S = 0.2
LONGEST_BACK_OFF_S = 5.0


class State(enum.Enum):
    """Where the link to the device stands."""

    CLOSED = "closed"
    OPENING = "opening"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    ENDED = "ended"


class Action(enum.Enum):
    """What the owner of the device does next, in this order."""

    OPEN = "open"
    CLOSE = "close"
    REFRESH = "refresh the list of devices, then open"
    REPORT_LOST = "report lost"
    REPORT_BACK = "report back"


@dataclass(frozen=True, slots=True)
class Start:
    """The first opening is wanted."""

    at: float


@dataclass(frozen=True, slots=True)
class Opened:
    """The device was opened and its stream started."""

    at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The device could not be opened."""

    at: float


@dataclass(frozen=True, slots=True)
class Look:
    """What the stream shows now.

    heard_at: monotonic time of the last callback of this stream, None before the first.
    active: whether PortAudio still calls the stream active.
    moved: whether the sound server has connected the stream to another microphone.
    """

    at: float
    heard_at: float | None
    active: bool
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """The source is closed for good."""

    at: float


Event = Start | Opened | Failed | Look | Stop


@dataclass(frozen=True, slots=True)
class Link:
    """All that the table remembers.

    since: monotonic time at which `state` was entered.
    failures: openings in a row that brought no sound.
    retry_at: monotonic time of the next opening, while WAITING.
    """

    state: State = State.CLOSED
    since: float = 0.0
    failures: int = 0
    retry_at: float = 0.0


def step(link: Link, event: Event) -> tuple[Link, tuple[Action, ...]]:
    """Return the link after `event`, and what to do now. What no row names changes nothing."""
    taken = TABLE.fitting(link.state, link, event)
    return (_entered(link, taken.to, event.at), taken.actions) if taken else (link, ())


def back_off_s(failures: int) -> float:
    """Wait before the next opening: doubled with each failure, up to 5 s."""
    return float(min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** min(failures, 16)))


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram(values)


def heard(_link: Link, event: Look) -> bool:
    """The first sound has come."""
    return event.heard_at is not None


def mute(link: Link, event: Look) -> bool:
    """No sound came within 3 s of opening, or the stream stopped before any."""
    return not event.active or event.at - link.since > MUTE_AFTER_S


def lost(link: Link, event: Look) -> bool:
    """Silent for 0.5 s, stopped, or moved to another microphone."""
    last = link.since if event.heard_at is None else event.heard_at
    return not event.active or event.moved or event.at - last > SILENT_AFTER_S


def due(link: Link, event: Look) -> bool:
    """The back-off has passed."""
    return event.at >= link.retry_at


OPEN_STATES = (State.CLOSED, State.OPENING, State.STARTING, State.RUNNING, State.WAITING)

TABLE: Table[State, Link, Event, Action] = Table(
    start=State.CLOSED,
    events=get_args(Event),
    rows=(
        row((State.CLOSED,), Start, always, State.OPENING, (Action.OPEN,)),
        row((State.OPENING,), Opened, always, State.STARTING),
        row((State.OPENING,), Failed, always, State.WAITING),
        row((State.STARTING,), Look, heard, State.RUNNING, (Action.REPORT_BACK,)),
        row((State.STARTING,), Look, mute, State.WAITING, (Action.CLOSE, Action.REPORT_LOST)),
        row((State.RUNNING,), Look, lost, State.WAITING, (Action.CLOSE, Action.REPORT_LOST)),
        row((State.WAITING,), Look, due, State.OPENING, (Action.REFRESH,)),
        row(OPEN_STATES, Stop, always, State.ENDED, (Action.CLOSE,)),
    ),
    final=(State.ENDED,),
)


def _entered(link: Link, state: State, at: float) -> Link:
    entered = replace(link, state=state, since=at)
    if state is State.RUNNING:
        return replace(entered, failures=0)
    if state is State.WAITING:
        return replace(entered, failures=link.failures + 1, retry_at=at + back_off_s(link.failures))
    return entered
