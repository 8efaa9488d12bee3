"""Whether the assistant is awake: a table of transitions over frozen events, without sound, clock or thread.

A wake word opens a window in which a command may begin, a question opens a longer one for its answer, and after a
command the next words may still belong to it. Outside of these nothing is listened to but the wake word. `docs/wake.md`
shows the table as a diagram, drawn by `diagram`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import get_args

from assistant.errors import ConfigError
from assistant.transitions import Table, always, row


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
    taken = TABLE.fitting(waking.state, Situation(waking, settings), event)
    return (_entered(waking, taken.to, event, settings), taken.actions) if taken else (waking, ())


@dataclass(frozen=True, slots=True)
class Situation:
    """What guards look at."""

    waking: Waking
    settings: WakingSettings


def _closed(now: Situation, event: Heard) -> bool:
    until = now.waking.until
    return until is not None and event.at >= until + now.settings.sure_s


def _silent(now: Situation, event: Heard) -> bool:
    return not now.waking.hailed and event.at >= now.waking.word_end + now.settings.hail_s


def _at_its_beginning(now: Situation, event: Detected) -> bool:
    return event.at - now.waking.began <= now.settings.rewake_s


def _echo(now: Situation, event: SpeechEnded) -> bool:
    tail_end = now.waking.word_end + now.settings.tail_s
    return now.waking.began <= tail_end and event.at <= tail_end


_S = State
_WAITING = (_S.AWAKE, _S.FOLLOW_UP, _S.LINGERING)

TABLE: Table[State, Situation, Event, Output] = Table(
    start=_S.ASLEEP,
    events=get_args(Event),
    rows=(
        # The wake word wakes at any time, except inside a command that is well under way.
        row((_S.ASLEEP, *_WAITING), Detected, always, _S.AWAKE, (Wake(),)),
        row(
            (_S.LISTENING,),
            Detected,
            _at_its_beginning,
            _S.AWAKE,
            (GiveUp(), Wake()),
            condition="≤ rewake_s after it began",
        ),
        # Speech. While asleep only the button begins an utterance.
        row((_S.ASLEEP, *_WAITING), SpeechBegan, always, _S.LISTENING),
        row((_S.LISTENING,), SpeechEnded, _echo, _S.AWAKE, (GiveUp(),), condition="the word's echo"),
        row((_S.LISTENING,), SpeechEnded, always, _S.LINGERING),
        row((_S.LISTENING,), SpeechAbandoned, always, _S.ASLEEP, (Sleep(),)),
        # A question. Its window opens with the first sound after the reply.
        row((_S.ASLEEP, *_WAITING), Asked, always, _S.FOLLOW_UP),
        row((_S.FOLLOW_UP,), Reset, always, _S.FOLLOW_UP),
        row(
            (_S.FOLLOW_UP,),
            Heard,
            lambda now, _: now.waking.until is None,
            _S.FOLLOW_UP,
            condition="window not open",
        ),
        # Time passes.
        row(_WAITING, Heard, _closed, _S.ASLEEP, (Sleep(),), condition="window closed"),
        row((_S.AWAKE,), Heard, _silent, _S.AWAKE, (Hail(),), condition="silence ≥ hail_s"),
        row((_S.LISTENING, _S.LINGERING), Reset, always, _S.ASLEEP, (Sleep(),)),
        row((*_WAITING, _S.LISTENING), StreamEnd, always, _S.ASLEEP, (Sleep(),)),
    ),
)


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documents."""
    return TABLE.diagram(lambda outputs: " / ".join(type(output).__name__ for output in outputs))


def _entered(waking: Waking, state: State, event: Event, settings: WakingSettings) -> Waking:
    """What is remembered when `event` leads to `state`, which may be the state that was."""
    entered = replace(waking, state=state, until=_closing(waking, state, event, settings))
    if isinstance(event, Detected):
        return replace(entered, word_end=event.at, hailed=False)
    if isinstance(event, SpeechBegan):
        return replace(entered, began=event.at)
    if isinstance(event, Heard) and state is State.AWAKE:
        return replace(entered, hailed=True)
    return entered


def _closing(waking: Waking, state: State, event: Event, settings: WakingSettings) -> float | None:
    """When the window closes in which the next words must begin; None: the next frame opens it."""
    if isinstance(event, Detected):
        return event.at + settings.awake_s
    if isinstance(event, SpeechEnded):
        return waking.word_end + settings.awake_s if state is State.AWAKE else event.at + settings.linger_s
    if state is State.FOLLOW_UP:
        return event.at + settings.follow_up_s if isinstance(event, Heard) else None
    return waking.until
