"""Transition tables: what a module decides over time as rows, which are checked when they are made and drawn in docs/.

A table stands in the module that it decides for, with its states, events and memory; this is only what they share.
Nothing here waits, reads or writes.

    TABLE: Table[State, Link, Event, Action] = Table(
        start=State.WAITING,
        events=get_args(Event),
        rows=(
            row((State.WAITING,), Look, due, State.OPENING, (Action.OPEN,)),
            row((State.WAITING, State.OPENING), Stop, always, State.ENDED),
        ),
        final=(State.ENDED,),
    )
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

State = TypeVar("State", bound=enum.Enum)
Seen = TypeVar("Seen")
"""What guards look at: the memory of what was, and the settings where there are any."""
Event = TypeVar("Event")
Action = TypeVar("Action")


def values(actions: tuple[enum.Enum, ...]) -> str:
    """Actions in words, for a diagram: the values of an enum."""
    return ", ".join(action.value for action in actions)


def always(_seen: object, _event: object) -> bool:
    """No condition."""
    return True


@dataclass(frozen=True, slots=True)
class Row(Generic[State, Seen, Action]):
    """In any of `states`, one of `events` with a true `guard` leads to `to` and asks for `actions`; made by `row`.

    condition: the guard in words, "" for none.
    """

    states: tuple[State, ...]
    events: tuple[type, ...]
    guard: Callable[[Seen, Any], bool]
    to: State
    actions: tuple[Action, ...]
    condition: str


def row(
    states: tuple[State, ...],
    events: type[Event] | tuple[type[Event], ...],
    guard: Callable[[Seen, Event], bool],
    to: State,
    actions: tuple[Action, ...] = (),
    *,
    condition: str = "",
) -> Row[State, Seen, Action]:
    """A row whose guard takes just the events of the row. condition: in words; else the guard's name says it."""
    if not condition and guard is not always:
        condition = guard.__name__.replace("_", " ")
    return Row(states, events if isinstance(events, tuple) else (events,), guard, to, actions, condition)


@dataclass(frozen=True, slots=True)
class Table(Generic[State, Seen, Event, Action]):
    """All transitions of one machine; where several rows fit, the first is taken, and where none does, nothing happens.

    start: the first state. events: all that can come, `get_args` of their union. final: states that are not left.
    Raises ValueError, which lists all of them, where a state is never reached or never left, an event is never
    answered, or a row is never taken because an unconditional one stands before it.
    """

    start: State
    events: tuple[type[Event], ...]
    rows: tuple[Row[State, Seen, Action], ...]
    final: tuple[State, ...] = ()

    def __post_init__(self) -> None:
        if flaws := [*self._flaws_of_states(), *self._flaws_of_rows()]:
            raise ValueError("; ".join(flaws))

    def fitting(self, state: State, seen: Seen, event: Event) -> Row[State, Seen, Action] | None:
        """The row that is taken when `event` comes in `state`, None where there is none."""
        for each in self.rows:
            if state in each.states and isinstance(event, each.events) and each.guard(seen, event):
                return each
        return None

    def diagram(self, in_words: Callable[[tuple[Action, ...]], str] = lambda _: "") -> str:
        """The table as a Mermaid state diagram. in_words: what a row asks for; left out where that is ""."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start.value}"]
        for each in self.rows:
            events = " or ".join(event.__name__ for event in each.events)
            condition = f" [{each.condition}]" if each.condition else ""
            words = in_words(each.actions)
            label = f"{events}{condition}{f' / {words}' if words else ''}"
            lines += [f"    {state.value} --> {each.to.value}: {label}" for state in each.states]
        return "\n".join([*lines, *(f"    {state.value} --> [*]" for state in self.final)])

    def _flaws_of_states(self) -> Iterator[str]:
        reached, found = {self.start}, {self.start}
        while found:
            found = {each.to for each in self.rows if reached & {*each.states}} - reached
            reached |= found
        left = {state for each in self.rows for state in each.states if each.to is not state}
        for state in type(self.start):
            if state not in reached:
                yield f"{state} is never reached"
            if state not in left and state not in self.final:
                yield f"{state} is never left"
            if state in left and state in self.final:
                yield f"{state} is final and is left"

    def _flaws_of_rows(self) -> Iterator[str]:
        answered = {event for each in self.rows for event in each.events}
        yield from (f"{event.__name__} is never answered" for event in self.events if event not in answered)
        yield from (f"{event.__name__} is no event of this table" for event in answered - {*self.events})
        taken: set[tuple[State, type]] = set()
        for each in self.rows:
            pairs = [(state, event) for state in each.states for event in each.events]
            yield from (f"{state} answers {event.__name__} before" for state, event in pairs if (state, event) in taken)
            if each.guard is always:
                taken.update(pairs)
