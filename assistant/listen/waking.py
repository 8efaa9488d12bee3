"""Whether the assistant is awake: a table of transitions over frozen events, without sound, clock or thread.

A wake word opens a window in which a command may begin, a question opens a longer one for its answer, and after a
command the next words may still belong to it. Outside of these nothing is listened to but the wake word. `docs/wake.md`
shows the table as a diagram, drawn by `diagram`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from assistant.errors import ConfigError


@dataclass(frozen=True, slots=True)
class WakingSettings:
    """Lengths in seconds.

    awake_s: from the end of the wake word until a command must have begun.
    follow_up_s: from the end of a question until its answer must have begun.
    linger_s: from the end of a command until the rest of it must have begun.
    hail_s: silence after the wake word after which the earcon says "go on": nobody who speaks on is talked over.
    rewake_s: a wake word that ends so soon after an utterance began is not part of it: it wakes anew.
    tail_s: a sound that begins with the end of the wake word and lasts no longer is its echo, and no command.
    sure_s: how late it is known that speech has begun; windows are open so much longer.
    Raises ConfigError when a length is negative or a window closes before the earcon.
    """

    awake_s: float = 5.0
    follow_up_s: float = 8.0
    linger_s: float = 0.8
    hail_s: float = 0.65
    rewake_s: float = 1.5
    tail_s: float = 0.3
    sure_s: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.hail_s <= self.awake_s:
            raise ConfigError(
                f"the window after the wake word is {self.awake_s:g} s",
                where="wake.awake_s",
                remedy=f"give {self.hail_s:g} s or more",
            )
        if min(self.follow_up_s, self.linger_s, self.rewake_s, self.tail_s, self.sure_s) < 0:
            raise ConfigError("a negative length", where="wake", remedy="give lengths of 0 s or more")


class State(enum.Enum):
    """What is listened to."""

    ASLEEP = "asleep"
    """The wake word only."""
    AWAKE = "awake"
    """The wake word was said: a command is expected."""
    FOLLOW_UP = "follow_up"
    """A question was asked: an answer is expected."""
    LISTENING = "listening"
    """An utterance is under way."""
    LINGERING = "lingering"
    """A command has ended: the rest of it may follow."""


# Events in. `at` is always the frames' time, seconds.


@dataclass(frozen=True, slots=True)
class Detected:
    """A wake word was said and ended `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """An utterance began `at` (or the button went down)."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The utterance is over; its last voiced instant was `at`."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechAbandoned:
    """The utterance under way was given up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The reply to the last command is a question; its answer needs no wake word."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything up to `at` has been heard: time passes."""

    at: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Sound was missed (a reply was played): what was heard before is forgotten."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """No frame follows."""


Event = Detected | SpeechBegan | SpeechEnded | SpeechAbandoned | Asked | Heard | Reset | StreamEnd

# Outputs.


@dataclass(frozen=True, slots=True)
class Wake:
    """Listen from the end of the wake word on."""


@dataclass(frozen=True, slots=True)
class Hail:
    """Nobody speaks on: say that somebody listens."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The utterance under way is not meant: forget it."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Listen to the wake word only."""


Output = Wake | Hail | GiveUp | Sleep


@dataclass(frozen=True, slots=True)
class Waking:
    """The table's whole memory; times in the frames' time, seconds.

    word_end: end of the last wake word; minus infinity before the first.
    began: where the utterance under way began.
    until: when the open window closes; None: it has yet to be opened by the next frame.
    hailed: whether the earcon has been asked for.
    """

    state: State = State.ASLEEP
    word_end: float = float("-inf")
    began: float = 0.0
    until: float | None = None
    hailed: bool = False


def step(waking: Waking, event: Event, settings: WakingSettings) -> tuple[Waking, tuple[Output, ...]]:
    """Apply the first row of TABLE that fits; an event that no row is for changes nothing."""
    situation = Situation(waking, event, settings)
    for row in TABLE:
        if waking.state in row.sources and isinstance(event, row.events) and row.guard(situation):
            return replace(row.update(situation), state=row.target), row.outputs
    return waking, ()


@dataclass(frozen=True, slots=True)
class Situation:
    """What guards and updates look at."""

    waking: Waking
    event: Event
    settings: WakingSettings

    @property
    def at(self) -> float:
        """The event's time; minus infinity for events without one."""
        return getattr(self.event, "at", float("-inf"))


Guard = Callable[[Situation], bool]
Update = Callable[[Situation], Waking]


def _always(_: Situation) -> bool:
    return True


def _closed(now: Situation) -> bool:
    until = now.waking.until
    return until is not None and now.at >= until + now.settings.sure_s


def _unopened(now: Situation) -> bool:
    return now.waking.until is None


def _silent(now: Situation) -> bool:
    return not now.waking.hailed and now.at >= now.waking.word_end + now.settings.hail_s


def _at_its_beginning(now: Situation) -> bool:
    return now.at - now.waking.began <= now.settings.rewake_s


def _echo(now: Situation) -> bool:
    tail_end = now.waking.word_end + now.settings.tail_s
    return now.waking.began <= tail_end and now.at <= tail_end


def _same(now: Situation) -> Waking:
    return now.waking


def _woken(now: Situation) -> Waking:
    return replace(now.waking, word_end=now.at, until=now.at + now.settings.awake_s, hailed=False)


def _began(now: Situation) -> Waking:
    return replace(now.waking, began=now.at)


def _reawake(now: Situation) -> Waking:
    return replace(now.waking, until=now.waking.word_end + now.settings.awake_s)


def _ended(now: Situation) -> Waking:
    return replace(now.waking, until=now.at + now.settings.linger_s)


def _opened(now: Situation) -> Waking:
    return replace(now.waking, until=now.at + now.settings.follow_up_s)


def _unopen(now: Situation) -> Waking:
    return replace(now.waking, until=None)


def _hailed(now: Situation) -> Waking:
    return replace(now.waking, hailed=True)


@dataclass(frozen=True, slots=True)
class Row:
    """In one of `sources`, on one of `events`, if `guard` holds: `update`, make `outputs` and go to `target`.

    when: the guard in words, for the diagram; "" when there is none.
    """

    sources: tuple[State, ...]
    events: tuple[type[Event], ...]
    target: State
    outputs: tuple[Output, ...] = ()
    guard: Guard = _always
    when: str = ""
    update: Update = _same


_S = State
_WAITING = (_S.AWAKE, _S.FOLLOW_UP, _S.LINGERING)

TABLE: tuple[Row, ...] = (
    # The wake word wakes at any time, except inside a command that is well under way.
    Row((_S.ASLEEP, *_WAITING), (Detected,), _S.AWAKE, (Wake(),), update=_woken),
    Row(
        (_S.LISTENING,),
        (Detected,),
        _S.AWAKE,
        (GiveUp(), Wake()),
        _at_its_beginning,
        "≤ rewake_s after it began",
        update=_woken,
    ),
    # Speech. While asleep only the button begins an utterance.
    Row((_S.ASLEEP, *_WAITING), (SpeechBegan,), _S.LISTENING, update=_began),
    Row((_S.LISTENING,), (SpeechEnded,), _S.AWAKE, (GiveUp(),), _echo, "the word's echo", update=_reawake),
    Row((_S.LISTENING,), (SpeechEnded,), _S.LINGERING, update=_ended),
    Row((_S.LISTENING,), (SpeechAbandoned,), _S.ASLEEP, (Sleep(),)),
    # A question. Its window opens with the first sound after the reply.
    Row((_S.ASLEEP, *_WAITING), (Asked,), _S.FOLLOW_UP, update=_unopen),
    Row((_S.FOLLOW_UP,), (Reset,), _S.FOLLOW_UP, update=_unopen),
    Row((_S.FOLLOW_UP,), (Heard,), _S.FOLLOW_UP, (), _unopened, "window not open", update=_opened),
    # Time passes.
    Row(_WAITING, (Heard,), _S.ASLEEP, (Sleep(),), _closed, "window closed"),
    Row((_S.AWAKE,), (Heard,), _S.AWAKE, (Hail(),), _silent, "silence ≥ hail_s", update=_hailed),
    Row((_S.LISTENING, _S.LINGERING), (Reset,), _S.ASLEEP, (Sleep(),)),
    Row((*_WAITING, _S.LISTENING), (StreamEnd,), _S.ASLEEP, (Sleep(),)),
)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.ASLEEP.value}"]
    for row in TABLE:
        event = " or ".join(event.__name__ for event in row.events)
        guard = f" [{row.when}]" if row.when else ""
        outputs = "".join(f" / {type(output).__name__}" for output in row.outputs)
        lines += [f"    {source.value} --> {row.target.value}: {event}{guard}{outputs}" for source in row.sources]
    return "\n".join(lines) + "\n"
