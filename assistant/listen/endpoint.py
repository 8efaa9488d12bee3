"""Where an utterance begins and ends: a table of transitions over frozen events, without sound, clock or thread.

A pause starts recognition on what is there (speculation). Its answer decides how much silence ends the utterance:
little when nothing longer could be meant, some when a sentence is complete, more when it is not. `docs/listening.md`
shows the table as a diagram, drawn by `diagram`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from assistant.errors import ConfigError
from assistant.listen.activity import frames
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
    situation = Situation(endpoint, event, settings)
    for row in TABLE:
        if endpoint.state in row.sources and isinstance(event, row.events) and row.guard(situation):
            return replace(endpoint, state=row.target), row.outputs
    return endpoint, ()


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
    event: Event
    settings: EndpointSettings

    def silent(self, silence_s: float) -> bool:
        """Silence has lasted so long."""
        return self.endpoint.now - self.endpoint.voiced >= frames(silence_s)


Guard = Callable[[Situation], bool]


def _always(_: Situation) -> bool:
    return True


def _capped(at: Situation) -> bool:
    return at.endpoint.now + 1 - at.endpoint.begin >= frames(at.settings.cap_s)


def _terminal(at: Situation) -> bool:
    return isinstance(at.event, SpeculationReady) and at.event.terminal


def _complete(at: Situation) -> bool:
    return isinstance(at.event, SpeculationReady) and at.event.complete


@dataclass(frozen=True, slots=True)
class Row:
    """In one of `sources`, on one of `events`, if `guard` holds: make `outputs` and go to `target`.

    when: the guard in words, for the diagram; "" when there is none.
    """

    sources: tuple[State, ...]
    events: tuple[type[Event], ...]
    target: State
    outputs: tuple[Output, ...] = ()
    guard: Guard = _always
    when: str = ""


_S = State
_FRAME = (Voiced, Undecided, Unvoiced)
_SPECULATIVE = (_S.SPECULATED, _S.COMPLETE, _S.TERMINAL)
_ACTIVE = (_S.SPEECH, _S.PAUSE, *_SPECULATIVE, _S.HELD)
_END_SILENCE, _END_COMPLETE, _END_CAP = End(EndReason.SILENCE), End(EndReason.COMPLETE), End(EndReason.CAP)

TABLE: tuple[Row, ...] = (
    Row((_S.IDLE,), (Voiced,), _S.SPEECH, (Begin(),), lambda at: at.settings.always, "always listening"),
    Row((_S.IDLE,), (Press,), _S.HELD, (Begin(),)),
    # The cap comes before everything that would let an utterance go on.
    Row(_SPECULATIVE, (Voiced,), _S.IDLE, (DiscardSpeculation(), _END_CAP), _capped, "cap_s reached"),
    Row(_ACTIVE, _FRAME, _S.IDLE, (_END_CAP,), _capped, "cap_s reached"),
    # Speech goes on.
    Row(_SPECULATIVE, (Voiced,), _S.SPEECH, (DiscardSpeculation(),)),
    Row((_S.PAUSE,), (Voiced,), _S.SPEECH),
    # Silence. What is undecided never ends an utterance.
    Row(
        (_S.SPEECH, _S.PAUSE),
        (Unvoiced,),
        _S.SPECULATED,
        (Speculate(),),
        lambda at: at.silent(at.settings.speculate_s),
        "silence ≥ speculate_s",
    ),
    Row((_S.SPEECH,), (Unvoiced,), _S.PAUSE),
    Row(
        (_S.SPECULATED,),
        (Unvoiced,),
        _S.IDLE,
        (_END_SILENCE,),
        lambda at: at.silent(at.settings.incomplete_s),
        "silence ≥ incomplete_s",
    ),
    Row(
        (_S.COMPLETE,),
        (Unvoiced,),
        _S.IDLE,
        (_END_COMPLETE,),
        lambda at: at.silent(at.settings.complete_s),
        "silence ≥ complete_s",
    ),
    Row(
        (_S.TERMINAL,),
        (Unvoiced,),
        _S.IDLE,
        (_END_COMPLETE,),
        lambda at: at.silent(at.settings.terminal_s),
        "silence ≥ terminal_s",
    ),
    # Recognition answers.
    Row((_S.SPECULATED,), (SpeculationReady,), _S.TERMINAL, (), _terminal, "terminal"),
    Row((_S.SPECULATED,), (SpeculationReady,), _S.COMPLETE, (), _complete, "complete"),
    # The button.
    Row(_SPECULATIVE, (Press,), _S.HELD, (DiscardSpeculation(),)),
    Row((_S.SPEECH, _S.PAUSE), (Press,), _S.HELD),
    Row((_S.HELD,), (Release,), _S.IDLE, (End(EndReason.RELEASED),)),
    Row(_ACTIVE, (StreamEnd,), _S.IDLE, (End(EndReason.STREAM_END),)),
    Row(_ACTIVE, (Reset,), _S.IDLE, (Abandon(),)),
)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.IDLE.value}"]
    for row in TABLE:
        event = " or ".join(event.__name__ for event in row.events)
        guard = f" [{row.when}]" if row.when else ""
        outputs = "".join(f" / {_name(output)}" for output in row.outputs)
        lines += [f"    {source.value} --> {row.target.value}: {event}{guard}{outputs}" for source in row.sources]
    return "\n".join(lines) + "\n"


def _name(output: Output) -> str:
    return f"End({output.reason.value})" if isinstance(output, End) else type(output).__name__
