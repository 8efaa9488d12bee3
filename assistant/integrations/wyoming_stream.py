"""What a Wyoming client's sound is for, and how much of it is heard: a table over frozen events, without a socket.

    IDLE ──Started──► HEARING ──Stopped──► IDLE                     transcript
      ▲                  │ Sound: enough ──► SATED ──Stopped──► IDLE   (what comes now is not heard)
      └──Stopped──── DETECTING ──Detected──► DETECTED               detection, or "not detected" at the end

A client may send sound for as long as it likes: for a transcript only so much is kept, for wake words nothing is.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Union, get_args

from assistant.transitions import Table, always, row, values

STALLED_S = 10.0
"""A client that began to send sound and stops in the middle is cut off after so long."""
IDLE_S = 600.0
"""So is one that asks nothing at all: Home Assistant opens a connection for each question."""


class State(enum.Enum):
    """What is done with sound."""

    IDLE = "idle"
    HEARING = "hearing"
    SATED = "sated"
    DETECTING = "detecting"
    DETECTED = "detected"
    CUT = "cut"


class Purpose(enum.Enum):
    """What the client asked for last."""

    TRANSCRIPT = "transcript"
    WAKE = "wake"


class Action(enum.Enum):
    """What the owner of the connection does, in this order."""

    BEGIN = "forget what came before"
    KEEP = "keep the sound"
    TRANSCRIBE = "recognise what was kept"
    DETECT = "look for wake words in the sound"
    NOT_DETECTED = "say that there was none"


@dataclass(frozen=True, slots=True)
class Asked:
    """The client says what the sound that follows is for."""

    at: float
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Started:
    """A stretch of sound begins."""

    at: float


@dataclass(frozen=True, slots=True)
class Sound:
    """Some of it. seconds: how long it is."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stretch of sound has ended."""

    at: float


@dataclass(frozen=True, slots=True)
class Detected:
    """A wake word was in it."""

    at: float


@dataclass(frozen=True, slots=True)
class Look:
    """Time passes, and nothing comes."""

    at: float


Event = Union[Asked, Started, Sound, Stopped, Detected, Look]


@dataclass(frozen=True, slots=True)
class Stream:
    """All that the table remembers. at: monotonic time of the client's last event. heard_s: of this stretch, kept."""

    cap_s: float
    at: float
    state: State = State.IDLE
    purpose: Purpose = Purpose.TRANSCRIPT
    heard_s: float = 0.0


def step(stream: Stream, event: Event) -> tuple[Stream, tuple[Action, ...]]:
    """The stream after `event`, and what to do now. What no row names changes nothing."""
    seen = stream if isinstance(event, (Look, Detected)) else replace(stream, at=event.at)
    if isinstance(event, Asked):
        seen = replace(seen, purpose=event.purpose)
    taken = TABLE.fitting(stream.state, seen, event)
    if taken is None:
        return seen, ()
    heard_s = 0.0 if Action.BEGIN in taken.actions else seen.heard_s
    if isinstance(event, Sound) and Action.KEEP in taken.actions:
        heard_s += event.seconds
    return replace(seen, state=taken.to, heard_s=heard_s), taken.actions


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram(values)


def for_a_transcript(stream: Stream, _event: Started) -> bool:
    """The client wants to know what was said."""
    return stream.purpose is Purpose.TRANSCRIPT


def enough(stream: Stream, event: Sound) -> bool:
    """As much was heard as is ever kept."""
    return stream.heard_s + event.seconds >= stream.cap_s


def stalled(stream: Stream, event: Look) -> bool:
    """Nothing came for STALLED_S."""
    return event.at - stream.at > STALLED_S


def forgotten(stream: Stream, event: Look) -> bool:
    """Nothing came for IDLE_S."""
    return event.at - stream.at > IDLE_S


OPEN = (State.IDLE, State.HEARING, State.SATED, State.DETECTING, State.DETECTED)

TABLE: Table[State, Stream, Event, Action] = Table(
    start=State.IDLE,
    events=get_args(Event),
    rows=(
        row(OPEN, Asked, always, State.IDLE),
        row(OPEN, Started, for_a_transcript, State.HEARING, (Action.BEGIN,)),
        row(OPEN, Started, always, State.DETECTING, (Action.BEGIN,)),
        row((State.HEARING,), Sound, enough, State.SATED, (Action.KEEP, Action.TRANSCRIBE)),
        row((State.HEARING,), Sound, always, State.HEARING, (Action.KEEP,)),
        row((State.HEARING,), Stopped, always, State.IDLE, (Action.TRANSCRIBE,)),
        row((State.SATED, State.DETECTED), Stopped, always, State.IDLE),
        row((State.DETECTING,), Sound, always, State.DETECTING, (Action.DETECT,)),
        row((State.DETECTED,), Sound, always, State.DETECTED, (Action.DETECT,)),
        row((State.DETECTING,), Detected, always, State.DETECTED),
        row((State.DETECTING,), Stopped, always, State.IDLE, (Action.NOT_DETECTED,)),
        row(OPEN[1:], Look, stalled, State.CUT),
        row((State.IDLE,), Look, forgotten, State.CUT),
    ),
    final=(State.CUT,),
)
