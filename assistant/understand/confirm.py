"""Asking back: what an answer, a new command or silence does to an open question. A table, without sound or thread.

yes, no and the values in question are understood only while a question is open, and an answer never does more than what
was asked about. `Dialogue` keeps the table's state for one conversation.

    open question             yes      no       a value, "the first"   unclear   a new command   silence
    "Did you say: …?"         act      drop     act                    repeat    replace         expire
    "With milk, or not?"      with     without  act                    repeat    replace         expire
    "Twelve ounces or …?"     repeat   drop     act                    repeat    replace         expire
    "For how long?"           repeat   drop     act                    repeat    replace         expire
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Union

from assistant.clock import Clock
from assistant.grammar.tree import Context
from assistant.types import Hypothesis, Outcome, Transcript, Understanding
from assistant.understand.answers import ANSWERS, CHOICE, NO, ORDINALS, VALUE, YES, Meaning, Pending, answer_context
from assistant.understand.decide import differing

ANSWER_TIMEOUT_S = 15.0
"""From the decision to ask until an answer begins, so the question's own sound is included."""

MAX_REPEATS = 1
"""So often is a question asked again after an answer that was not understood."""

NEAR_NATS = 1.0
"""Further meanings that are so close to the second one may be the answer too."""


class State(enum.Enum):
    """Whether a question is open, and of which kind."""

    IDLE = "idle"
    WHETHER = "whether"
    WITH = "with"
    WHICH = "which"
    WHAT = "what"


class Effect(enum.Enum):
    """What comes of an event."""

    GO_ON = "go on"
    """No question is concerned: the understanding goes on as it is."""
    IGNORE = "ignore"
    """An answer without a question: nothing may come of it."""
    OPEN = "open"
    """The question is open now, in place of any other."""
    ACT = "act"
    """One of the meanings was confirmed."""
    DROP = "drop"
    """None of them was meant; nothing is done."""
    REPEAT = "repeat"
    """The question is asked again."""
    WAIT = "wait"
    """Nothing was heard; the question stays open."""
    REPLACE = "replace"
    """Something else was commanded; the question is forgotten."""
    EXPIRE = "expire"
    """Nobody answered; the question is forgotten."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question was asked."""

    pending: Pending


@dataclass(frozen=True, slots=True)
class Yes:
    """Yes was said."""


@dataclass(frozen=True, slots=True)
class No:
    """No, or neither, was said."""


@dataclass(frozen=True, slots=True)
class Chose:
    """One of the meanings was named, by what differs or by its place; `number` from 0."""

    number: int


@dataclass(frozen=True, slots=True)
class Gave:
    """The value that was asked for was said."""

    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unclear:
    """Something was said that is neither an answer nor a command."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """There was a sound, but no words."""


@dataclass(frozen=True, slots=True)
class Commanded:
    """Something in the context was said instead of an answer."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Nobody answered."""


Event = Union[Asked, Yes, No, Chose, Gave, Unclear, Unheard, Commanded, TimedOut]


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the dialogue stands; pending: the open question, None when idle; repeats: how often it was asked again."""

    state: State = State.IDLE
    pending: Pending | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an event did: the effect, the next turn, and the confirmed meaning when the effect is ACT."""

    effect: Effect
    turn: Turn
    meaning: Meaning | None = None


_ASKING: Mapping[type[Event], Effect] = {
    Asked: Effect.OPEN,
    Yes: Effect.ACT,
    No: Effect.DROP,
    Chose: Effect.ACT,
    Gave: Effect.ACT,
    Unclear: Effect.REPEAT,
    Unheard: Effect.WAIT,
    Commanded: Effect.REPLACE,
    TimedOut: Effect.EXPIRE,
}

TABLE: Mapping[State, Mapping[type[Event], Effect]] = MappingProxyType(
    {
        State.IDLE: {
            Asked: Effect.OPEN,
            Yes: Effect.IGNORE,
            No: Effect.IGNORE,
            Chose: Effect.IGNORE,
            Gave: Effect.IGNORE,
            Unclear: Effect.GO_ON,
            Unheard: Effect.GO_ON,
            Commanded: Effect.GO_ON,
            TimedOut: Effect.GO_ON,
        },
        State.WHETHER: _ASKING,
        State.WITH: {**_ASKING, No: Effect.ACT},
        State.WHICH: {**_ASKING, Yes: Effect.REPEAT},
        State.WHAT: {**_ASKING, Yes: Effect.REPEAT},
    }
)


def step(turn: Turn, event: Event) -> Resolution:
    """Apply TABLE: what `event` does when the dialogue stands at `turn`."""
    effect = TABLE[turn.state][type(event)]
    if isinstance(event, Asked):
        return Resolution(effect, Turn(kind(event.pending), event.pending))
    if effect is Effect.REPEAT and turn.repeats >= MAX_REPEATS:
        effect = Effect.DROP
    if effect is Effect.REPEAT:
        return Resolution(effect, replace(turn, repeats=turn.repeats + 1))
    if effect in (Effect.WAIT, Effect.GO_ON, Effect.IGNORE):
        return Resolution(effect, turn)
    if effect is Effect.ACT and turn.pending is not None:
        return Resolution(effect, Turn(), _chosen(turn.pending, event))
    return Resolution(effect, Turn())


def kind(pending: Pending) -> State:
    """Which kind of question `pending` is."""
    if pending.slot:
        return State.WHAT
    if len(pending.meanings) < 2:
        return State.WHETHER
    return State.WHICH if pending.fuller is None else State.WITH


def resolve(pending: Pending, understanding: Understanding) -> Resolution:
    """What `understanding`, whether heard under `answer_context(pending)` or not, does to the open question."""
    return step(Turn(kind(pending), pending), event_of(understanding))


def event_of(understanding: Understanding) -> Event:
    """An understanding as an event.

    What may be another answer is unclear, and so is a value that hardly fits. A faint yes or no is taken: who is asked
    whether he said something was not heard well the first time either.
    """
    if understanding.outcome is Outcome.REFUSE:
        return Unclear() if understanding.text else Unheard()
    if understanding.intent not in ANSWERS:
        return Commanded()
    if understanding.intent in (YES, NO) and all(other.intent == VALUE for other in understanding.alternatives):
        # Free words could be these, too: an item called "no".
        return _answer(understanding)
    if understanding.intent == NO and understanding.differs and understanding.alternatives[0].intent == YES:
        return No()  # of a yes and a no that sound alike, no does no harm
    unsure = understanding.differs or understanding.intent in (CHOICE, VALUE)
    if understanding.outcome is Outcome.ASK and unsure:
        return Unclear()
    return _answer(understanding)


def _answer(understanding: Understanding) -> Event:
    """An answer that is clear enough as an event."""
    if understanding.intent == VALUE:
        return Gave(understanding.slots)
    if understanding.intent == CHOICE:
        return Chose(understanding.slots["choice"])
    return Yes() if understanding.intent == YES else No()


class Dialogue:
    """One conversation's open question; the clock is asked only when something is about to be heard.

    resolved: the meaning that the last answer confirmed, None after anything else.
    """

    def __init__(self, clock: Clock, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._turn = Turn()
        self._answers: Context | None = None
        self._asked_at = 0.0
        self._repeating = False
        self.resolved: Meaning | None = None

    def answers(self) -> Context | None:
        """The context to listen with while a question is open, None when none is."""
        if self._answers is not None and self._clock.monotonic() - self._asked_at > self._timeout_s:
            self._move(step(self._turn, TimedOut()))
        return self._answers

    def is_answer(self, understanding: Understanding, context: Context) -> bool:
        """False if `understanding` was heard under `answers()` and fits none of them.

        It may then be a new command: hear the same sound under the active context, and `follow` that if it fits there.
        """
        listened = self._answers is not None and context.hash == self._answers.hash
        return not (listened and isinstance(event_of(understanding), Unclear))

    @property
    def repeating(self) -> bool:
        """The last answer was not understood, and the question is asked again."""
        return self._repeating

    def follow(self, understanding: Understanding, context: Context) -> Understanding:
        """What `understanding`, heard under `context`, comes to: an answer becomes the meaning that it confirms."""
        pending, said = self._turn.pending, understanding.text
        self.resolved = None
        # An answer to an earlier question, heard late, is none to this one.
        stale = understanding.intent in ANSWERS and (self._answers is None or context.hash != self._answers.hash)
        if stale:
            return replace(understanding, outcome=Outcome.REFUSE, reason=f"“{said}” answers no open question")
        resolution = step(self._turn, event_of(understanding))
        self._move(resolution)
        self._repeating = resolution.effect is Effect.REPEAT
        self.resolved = resolution.meaning
        if resolution.meaning is not None:
            return _confirmed(understanding, resolution.meaning)
        if self._repeating and pending is not None:
            return _asked_again(understanding, pending)
        if resolution.effect is Effect.DROP:
            # A faint "no" is taken too, and what was not understood twice is given up: neither is asked about again.
            outcome = Outcome.ACCEPT if understanding.intent == NO else Outcome.REFUSE
            return replace(understanding, outcome=outcome, question="", differs=())
        return understanding

    def note(self, understanding: Understanding, transcript: Transcript, context: Context) -> None:
        """Open the question that `understanding`, as `follow` returned it, asks about `context`."""
        if understanding.outcome is not Outcome.ASK:
            return
        if self._repeating:
            self._asked_at = self._clock.monotonic()
        else:
            self.ask(pending_of(understanding, transcript, context))

    def ask(self, pending: Pending) -> None:
        """Open a question of any origin, for example whether a door may be unlocked."""
        self._move(step(self._turn, Asked(pending)))
        self._answers = answer_context(pending)
        self._asked_at = self._clock.monotonic()

    def forget(self) -> None:
        """Close the question, whatever it was."""
        self._move(Resolution(Effect.REPLACE, Turn()))

    def _move(self, resolution: Resolution) -> None:
        self._turn = resolution.turn
        if self._turn.state is State.IDLE:
            self._answers = None


def pending_of(understanding: Understanding, transcript: Transcript, context: Context) -> Pending:
    """The question that `understanding` asks, with the meanings of its transcript that may be the answer."""
    best, *others = transcript.hypotheses
    rivals: list[Hypothesis] = []
    if understanding.differs:
        rivals = [other for other in others if differing(best, other) == understanding.differs]
        rivals = [other for other in rivals if rivals[0].rerank - other.rerank <= NEAR_NATS][: len(ORDINALS) - 1]
    meanings = tuple(Meaning(h.intent, h.slots, h.text, h.response) for h in (best, *rivals))
    return Pending(context, meanings, understanding.differs, understanding.question)


def _chosen(pending: Pending, event: Event) -> Meaning:
    """The meaning that an answer confirms."""
    if isinstance(event, Gave):
        meaning = pending.meanings[0]
        return replace(meaning, slots=MappingProxyType({**meaning.slots, **event.slots}))
    if isinstance(event, Chose):
        return pending.meanings[event.number]
    if pending.fuller is None:
        return pending.meanings[0]
    return pending.meanings[pending.fuller if isinstance(event, Yes) else 1 - pending.fuller]


def _confirmed(answer: Understanding, meaning: Meaning) -> Understanding:
    text = meaning.sentence or meaning.text
    changes: dict[str, Any] = {"intent": meaning.intent, "slots": meaning.slots, "text": text}
    return replace(
        answer,
        outcome=Outcome.ACCEPT,
        reason=f"“{answer.text}” confirmed “{text}”",
        response=meaning.response,
        question="",
        differs=(),
        alternatives=(),
        **changes,
    )


def _asked_again(answer: Understanding, pending: Pending) -> Understanding:
    best = pending.meanings[0]
    return replace(
        answer,
        outcome=Outcome.ASK,
        intent=best.intent,
        slots=best.slots,
        text=best.sentence or best.text,
        reason=f"“{answer.text}” does not answer the question",
        response=best.response,
        question=pending.question,
        differs=pending.differs,
        alternatives=(),
    )


def table() -> str:
    """TABLE as a Markdown table: a row for each state, a column for each event."""
    events = list(TABLE[State.IDLE])
    rows = [["open question", *(event.__name__ for event in events)], ["---"] * (len(events) + 1)]
    rows += [[state.value, *(row[event].value for event in events)] for state, row in TABLE.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
