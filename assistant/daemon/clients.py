"""When a client of the control socket is answered and when it is cut: a table over frozen events, without a socket.

OPEN ──a line──► ANSWERING ──answered──► OPEN        Look: idle, a line too slow, an answer not taken ──► CUT
  ▲                  │ subscribe                     Received: a line too long, too many faults       ──► CUT
  └──────────────────┴─► SUBSCRIBED
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import NoReturn, Union, get_args

from assistant.daemon.protocol import MAX_LINE_BYTES
from assistant.transitions import Table, always, row

MOST_CLIENTS = 128
"""So many at once; one more is sent away."""
IDLE_S = 60.0
"""Silence after which a client that did not subscribe is cut."""
LINE_S = 5.0
"""From a line's first byte to its last: those who drip bytes, or stop in the middle, are cut."""
TAKE_S = 5.0
"""So long may the daemon's answers stay untaken."""
MOST_FAULTS = 8
"""So many requests in a row may make no sense."""


class State(enum.Enum):
    """What a connection waits for."""

    OPEN = "open"
    ANSWERING = "answering"
    SUBSCRIBED = "subscribed"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came. held: bytes of a line that has not ended yet. ended: they ended a line, so that another has begun."""

    at: float
    held: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The next whole line is being answered."""

    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer was written. sense: the line was a request. subscribed: events follow."""

    at: float
    sense: bool
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Time passes. untaken_since: since when answers wait for a client that does not read, None where none do."""

    at: float
    untaken_since: float | None


@dataclass(frozen=True, slots=True)
class Left:
    """The client closed its end."""

    at: float


Event = Union[Received, Taken, Answered, Look, Left]


@dataclass(frozen=True, slots=True)
class Client:
    """All that the table remembers.

    since: when `state` was entered. line_since: when the line under way began, None between lines.
    faults: lines in a row that were no request. why: the reason for which it was cut, "" where it left by itself.
    """

    state: State
    since: float
    line_since: float | None = None
    faults: int = 0
    why: str = ""


def step(client: Client, event: Event) -> Client:
    """The client after `event`. What no row names changes no state."""
    counted = _counted(client, event)
    taken = TABLE.fitting(client.state, client, event)
    if taken is None:
        return counted
    why = taken.condition if taken.to is State.CUT else client.why
    since = client.since if taken.to is client.state else event.at
    return replace(counted, state=taken.to, since=since, why=why)


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram()


def the_line_is_too_long(_client: Client, event: Received) -> bool:
    """More than MAX_LINE_BYTES without an end."""
    return event.held > MAX_LINE_BYTES


def too_many_requests_make_no_sense(client: Client, event: Answered) -> bool:
    """MOST_FAULTS in a row."""
    return not event.sense and client.faults + 1 >= MOST_FAULTS


def wants_events(_client: Client, event: Answered) -> bool:
    """The request was to subscribe."""
    return event.subscribed


def the_line_is_too_slow(client: Client, event: Look) -> bool:
    """It began more than LINE_S ago."""
    return client.line_since is not None and event.at - client.line_since > LINE_S


def nothing_was_asked(client: Client, event: Look) -> bool:
    """For IDLE_S."""
    return event.at - client.since > IDLE_S


def answers_are_not_taken(_client: Client, event: Look) -> bool:
    """For TAKE_S."""
    return event.untaken_since is not None and event.at - event.untaken_since > TAKE_S


ALIVE = (State.OPEN, State.ANSWERING, State.SUBSCRIBED)

TABLE: Table[State, Client, Event, NoReturn] = Table(
    start=State.OPEN,
    events=get_args(Event),
    rows=(
        row(ALIVE, Left, always, State.CUT),
        row(ALIVE, Received, the_line_is_too_long, State.CUT),
        row(ALIVE, Look, the_line_is_too_slow, State.CUT),
        row(ALIVE, Look, answers_are_not_taken, State.CUT),
        row((State.OPEN,), Look, nothing_was_asked, State.CUT),
        row((State.OPEN,), Taken, always, State.ANSWERING),
        row((State.ANSWERING, State.SUBSCRIBED), Answered, too_many_requests_make_no_sense, State.CUT),
        row((State.ANSWERING,), Answered, wants_events, State.SUBSCRIBED),
        row((State.ANSWERING,), Answered, always, State.OPEN),
    ),
    final=(State.CUT,),
)


def _counted(client: Client, event: Event) -> Client:
    """The client with what `event` changes beside its state."""
    if isinstance(event, Received):
        began = event.at if client.line_since is None or event.ended else client.line_since
        return replace(client, line_since=began if event.held else None)
    if isinstance(event, Answered):
        return replace(client, faults=0 if event.sense else client.faults + 1)
    return client
