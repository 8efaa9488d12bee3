"""Where an utterance begins and ends: a table of transitions over frozen events, without sound, clock or thread.

A pause starts recognition on what is there (speculation). Its answer decides how much silence ends the utterance:
little when nothing longer could be meant, some when a sentence is complete, more when it is not. `docs/listening.md`
shows the table as a diagram, drawn by `diagram`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import get_args

from assistant.errors import ConfigError
from assistant.listen.activity import frames
from assistant.transitions import Table, always, row
from assistant.types import EndReason


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Lengths in seconds, silence counted from the last voiced frame.

    pre_roll_s: sound kept from before the first voiced frame (or the press).
    speculate_s: silence at which recognition starts on what is there.
    terminal_s: silence that ends it when nothing longer begins with what was heard.
    complete_s: silence that ends it when what was heard is a complete sentence.
    incomplete_s: silence that ends it otherwise.
    cap_s: from the first voiced frame (or the press) at most.
    always: voice begins an utterance; False: only a press does (push-to-talk).
    Raises ConfigError when the lengths are not in order.
    """

    pre_roll_s: float = 1.5
    speculate_s: float = 0.15
    terminal_s: float = 0.2
    complete_s: float = 0.3
    incomplete_s: float = 0.7
    cap_s: float = 12.0
    always: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.speculate_s <= self.terminal_s <= self.complete_s <= self.incomplete_s < self.cap_s:
            raise ConfigError(
                "silences out of order",
                where="listen.endpoint",
                remedy="choose 0 < speculate_s <= terminal_s <= complete_s <= incomplete_s < cap_s",
            )
        if self.pre_roll_s < 0:
            raise ConfigError("negative pre_roll_s", where="listen.endpoint", remedy="give 0 s or more")


class State(enum.Enum):
    """Where the endpointer is."""

    IDLE = "idle"
    SPEECH = "speech"
    PAUSE = "pause"
    SPECULATED = "speculated"
    """Recognition was asked for and has not answered, or has found no complete sentence."""
    COMPLETE = "complete"
    TERMINAL = "terminal"
    HELD = "held"
    """The button is down."""


# Events in. Frames are numbered without holes; each makes exactly one of the first three.


@dataclass(frozen=True, slots=True)
class Voiced:
    """Somebody speaks in this frame; `since`: the first frame of the run that it belongs to."""

    frame: int
    since: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """Perhaps somebody begins to speak: neither silence nor yet speech."""

    frame: int


@dataclass(frozen=True, slots=True)
class Unvoiced:
    """Nobody speaks in this frame."""

    frame: int


@dataclass(frozen=True, slots=True)
class SpeculationReady:
    """What recognition made of the speculative cut: a complete sentence? one that nothing longer begins with?"""

    complete: bool
    terminal: bool


@dataclass(frozen=True, slots=True)
class Press:
    """The button went down during this frame."""

    frame: int


@dataclass(frozen=True, slots=True)
class Release:
    """The button went up."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget the utterance under way."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """No frame follows."""


Event = Voiced | Undecided | Unvoiced | SpeculationReady | Press | Release | Reset | StreamEnd

# Outputs.


@dataclass(frozen=True, slots=True)
class Begin:
    """An utterance begins, its speech (or the press) at `Endpoint.begin`."""


@dataclass(frozen=True, slots=True)
class Speculate:
    """Recognise what is there up to now."""


@dataclass(frozen=True, slots=True)
class DiscardSpeculation:
    """Speech goes on: the speculative cut was too short."""


@dataclass(frozen=True, slots=True)
class End:
    """The utterance ends."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Abandon:
    """The utterance ends and is not to be recognised."""


Output = Begin | Speculate | DiscardSpeculation | End | Abandon


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpointer's whole memory.

    begin: frame where the utterance's speech (or the press) began.
    voiced: last voiced frame.
    now: last frame heard.
    """

    state: State = State.IDLE
    begin: int = 0
    voiced: int = -1
    now: int = -1


def step(endpoint: Endpoint, event: Event, settings: EndpointSettings) -> tuple[Endpoint, tuple[Output, ...]]:
    """Apply the first row of TABLE that fits; an event that no row is for changes no state."""
    endpoint = _advance(endpoint, event)
    taken = TABLE.fitting(endpoint.state, Situation(endpoint, settings), event)
    return (replace(endpoint, state=taken.to), taken.actions) if taken else (endpoint, ())


def _advance(endpoint: Endpoint, event: Event) -> Endpoint:
    """Take over the frame numbers that guards compare."""
    idle = endpoint.state is State.IDLE
    if isinstance(event, Voiced):
        return replace(endpoint, begin=event.since if idle else endpoint.begin, voiced=event.frame, now=event.frame)
    if isinstance(event, Press):
        return replace(endpoint, begin=event.frame if idle else endpoint.begin)
    if isinstance(event, (Undecided, Unvoiced)):
        return replace(endpoint, now=event.frame)
    return endpoint


@dataclass(frozen=True, slots=True)
class Situation:
    """What guards look at."""

    endpoint: Endpoint
    settings: EndpointSettings

    def silent(self, silence_s: float) -> bool:
        """Silence has lasted so long."""
        return self.endpoint.now - self.endpoint.voiced >= frames(silence_s)


def _capped(at: Situation, _event: object) -> bool:
    return at.endpoint.now + 1 - at.endpoint.begin >= frames(at.settings.cap_s)


_S = State
_FRAME = (Voiced, Undecided, Unvoiced)
_SPECULATIVE = (_S.SPECULATED, _S.COMPLETE, _S.TERMINAL)
_ACTIVE = (_S.SPEECH, _S.PAUSE, *_SPECULATIVE, _S.HELD)
_END_SILENCE, _END_COMPLETE, _END_CAP = End(EndReason.SILENCE), End(EndReason.COMPLETE), End(EndReason.CAP)

TABLE: Table[State, Situation, Event, Output] = Table(
    start=_S.IDLE,
    events=get_args(Event),
    rows=(
        row((_S.IDLE,), Voiced, lambda at, _: at.settings.always, _S.SPEECH, (Begin(),), condition="always listening"),
        row((_S.IDLE,), Press, always, _S.HELD, (Begin(),)),
        # The cap comes before everything that would let an utterance go on.
        row(_SPECULATIVE, Voiced, _capped, _S.IDLE, (DiscardSpeculation(), _END_CAP), condition="cap_s reached"),
        row(_ACTIVE, _FRAME, _capped, _S.IDLE, (_END_CAP,), condition="cap_s reached"),
        # Speech goes on.
        row(_SPECULATIVE, Voiced, always, _S.SPEECH, (DiscardSpeculation(),)),
        row((_S.PAUSE,), Voiced, always, _S.SPEECH),
        # Silence. What is undecided never ends an utterance.
        row(
            (_S.SPEECH, _S.PAUSE),
            Unvoiced,
            lambda at, _: at.silent(at.settings.speculate_s),
            _S.SPECULATED,
            (Speculate(),),
            condition="silence ≥ speculate_s",
        ),
        row((_S.SPEECH,), Unvoiced, always, _S.PAUSE),
        row(
            (_S.SPECULATED,),
            Unvoiced,
            lambda at, _: at.silent(at.settings.incomplete_s),
            _S.IDLE,
            (_END_SILENCE,),
            condition="silence ≥ incomplete_s",
        ),
        row(
            (_S.COMPLETE,),
            Unvoiced,
            lambda at, _: at.silent(at.settings.complete_s),
            _S.IDLE,
            (_END_COMPLETE,),
            condition="silence ≥ complete_s",
        ),
        row(
            (_S.TERMINAL,),
            Unvoiced,
            lambda at, _: at.silent(at.settings.terminal_s),
            _S.IDLE,
            (_END_COMPLETE,),
            condition="silence ≥ terminal_s",
        ),
        # Recognition answers.
        row((_S.SPECULATED,), SpeculationReady, lambda _, event: event.terminal, _S.TERMINAL, condition="terminal"),
        row((_S.SPECULATED,), SpeculationReady, lambda _, event: event.complete, _S.COMPLETE, condition="complete"),
        # The button.
        row(_SPECULATIVE, Press, always, _S.HELD, (DiscardSpeculation(),)),
        row((_S.SPEECH, _S.PAUSE), Press, always, _S.HELD),
        row((_S.HELD,), Release, always, _S.IDLE, (End(EndReason.RELEASED),)),
        row(_ACTIVE, StreamEnd, always, _S.IDLE, (End(EndReason.STREAM_END),)),
        row(_ACTIVE, Reset, always, _S.IDLE, (Abandon(),)),
    ),
)


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram(lambda outputs: " / ".join(map(_name, outputs)))


def _name(output: Output) -> str:
    return f"End({output.reason.value})" if isinstance(output, End) else type(output).__name__
