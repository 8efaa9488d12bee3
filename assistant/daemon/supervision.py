"""When a part of the daemon is started again and when it is given up: a table over frozen events, no task inside.

    STOPPED ──Begin──► STARTING ──Started──► RUNNING ──Ended, Look: stuck──► WAITING ──Look: due──► STARTING
                          └──Ended──► WAITING          Ended: once too often ──► GIVEN_UP       Stop: any ──► STOPPED

A part is stuck when it says that it has to make progress and has made none. A look that itself came late judges nobody:
the whole process stood still (a suspended board, SIGSTOP).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Union, get_args

from assistant.transitions import Table, always, row, values

LATE_S = 2.0
"""A look that comes so late says that the process stood still, not that a part did."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient supervision is with one part.

    first_s, longest_s: the back-off, doubled with each failure in a row. limit: failures in a row after which it is
    given up; None never gives up. settled_s: so long must it run until its failures are forgotten. stuck_s: longest
    time without progress, None for a part that has none to show. start_s: longest start. stuck_limit: as limit, but for
    being stuck: no new start helps where a thread hangs in a driver.
    """

    first_s: float = 0.2
    longest_s: float = 30.0
    limit: int | None = None
    settled_s: float = 60.0
    stuck_s: float | None = None
    start_s: float = 120.0
    stuck_limit: int | None = None

    def back_off_s(self, failures: int) -> float:
        """Wait after so many failures in a row."""
        return float(min(self.longest_s, self.first_s * 2.0 ** min(max(failures - 1, 0), 16)))


class State(enum.Enum):
    """Where a part stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


class Action(enum.Enum):
    """What the supervisor does next."""

    START = "start"
    STOP = "stop"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Begin:
    """The part is wanted."""

    at: float


@dataclass(frozen=True, slots=True)
class Started:
    """Its start was done."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """It ended by itself, or did not start. why: for people."""

    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """Time passes. progress: the part's counter, None where it need not make any now. late_s: how late this look is."""

    at: float
    progress: int | None = None
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """It is wanted no more."""

    at: float


Event = Union[Begin, Started, Ended, Look, Stop]


@dataclass(frozen=True, slots=True)
class Watched:
    """All that the table remembers about a part.

    since: when `state` was entered. failures: in a row. starts: ever, the first included. retry_at: of the next start,
    while WAITING. progress, progressed_at: the last counter seen, and when it changed. why: of the last failure.
    """

    policy: Policy = field(default_factory=Policy)
    state: State = State.STOPPED
    since: float = 0.0
    failures: int = 0
    starts: int = 0
    retry_at: float = 0.0
    progress: int | None = None
    progressed_at: float = 0.0
    why: str = ""


def step(watched: Watched, event: Event) -> tuple[Watched, tuple[Action, ...]]:
    """The part after `event`, and what to do now. What no row names changes no state."""
    seen = _seen(watched, event)
    taken = TABLE.fitting(seen.state, seen, event)
    return (_entered(seen, taken.to, event), taken.actions) if taken else (seen, ())


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram(lambda actions: values(tuple(action for action in actions if action is not Action.REPORT)))


def once_too_often(watched: Watched, event: Event) -> bool:
    """This failure reaches the limit."""
    failures = _failures(watched, event.at) + 1
    return watched.policy.limit is not None and failures >= watched.policy.limit


def stuck(watched: Watched, event: Look) -> bool:
    """It has made no progress for `stuck_s`, or has been starting for longer than `start_s`."""
    if event.late_s > LATE_S:
        return False
    if watched.state is State.STARTING:
        return event.at - watched.since > watched.policy.start_s
    limit = watched.policy.stuck_s
    return limit is not None and event.progress is not None and event.at - watched.progressed_at > limit


def stuck_once_too_often(watched: Watched, event: Look) -> bool:
    """Stuck, and this failure reaches one of the limits."""
    limit = watched.policy.stuck_limit
    hopeless = limit is not None and _failures(watched, event.at) + 1 >= limit
    return stuck(watched, event) and (hopeless or once_too_often(watched, event))


def due(watched: Watched, event: Look) -> bool:
    """The back-off has passed."""
    return event.at >= watched.retry_at


ALIVE = (State.STARTING, State.RUNNING)
REPORT, START, STOP = (Action.REPORT,), (Action.REPORT, Action.START), (Action.REPORT, Action.STOP)

TABLE: Table[State, Watched, Event, Action] = Table(
    start=State.STOPPED,
    events=get_args(Event),
    rows=(
        row((State.STOPPED, State.GIVEN_UP), Begin, always, State.STARTING, START),
        row((State.STARTING,), Started, always, State.RUNNING, REPORT),
        row(ALIVE, Ended, once_too_often, State.GIVEN_UP, STOP),
        row(ALIVE, Ended, always, State.WAITING, STOP),
        row(ALIVE, Look, stuck_once_too_often, State.GIVEN_UP, STOP),
        row(ALIVE, Look, stuck, State.WAITING, STOP),
        row((State.WAITING,), Look, due, State.STARTING, START),
        row((*ALIVE, State.WAITING, State.GIVEN_UP), Stop, always, State.STOPPED, STOP),
    ),
)


def _failures(watched: Watched, at: float) -> int:
    """Failures in a row so far; forgotten once it has run for `settled_s`."""
    settled = watched.state is State.RUNNING and at - watched.since >= watched.policy.settled_s
    return 0 if settled else watched.failures


def _seen(watched: Watched, event: Event) -> Watched:
    """The part with what a look shows of its progress."""
    if not isinstance(event, Look):
        return watched
    moved = event.progress is None or event.progress != watched.progress or event.late_s > LATE_S
    return replace(watched, progress=event.progress, progressed_at=event.at) if moved else watched


def _entered(watched: Watched, state: State, event: Event) -> Watched:
    entered = replace(watched, state=state, since=event.at)
    if state is State.STARTING:
        return replace(entered, starts=watched.starts + 1)
    if state is State.RUNNING:
        return replace(entered, progress=None, progressed_at=event.at)
    if state in (State.WAITING, State.GIVEN_UP):
        failures = _failures(watched, event.at) + 1
        why = event.why if isinstance(event, Ended) else "it made no progress"
        return replace(entered, failures=failures, retry_at=event.at + watched.policy.back_off_s(failures), why=why)
    return replace(entered, failures=0, why="")
