"""Dialogues as scripts: what is said, turn by turn, and what must be answered. Played on text, or by whoever can speak.

    - name: which lamp
      turns:
        - say: turn on the lamp
          expect: "Which one: the floor lamp or the reading lamp?"
        - say: the reading lamp
          expect: The reading lamp is on.
          intent: HassTurnOn                    what is done, and with which slots, at least
          slots: {name: reading lamp}
        - wait_s: 300                           time passes before the turn
          announces: Your pasta timer is done.  what is said without being asked
          say: stop
          expect: ""                            silence

Skills keep their things in a folder that ends with the dialogue; time is held, so that nothing waits.
"""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from msgspec import Struct

from assistant.act.skill import Services
from assistant.act.skills import Skills, open_skills
from assistant.errors import InputError
from assistant.grammar.places import ContextFaults, Faults, Located, read_yaml
from assistant.grammar.schema import read
from assistant.grammar.tree import Context, Place
from assistant.pipeline import Understander
from assistant.recognize.text import TextRecognizer
from assistant.testing.clock import HeldClock
from assistant.typed import TypedConversation
from assistant.types import Decision

PATIENCE_S = 10.0
"""Real seconds after which an announcement that never comes is given up."""


class TurnSpec(Struct, frozen=True):
    """One turn of a file."""

    say: str
    expect: str
    intent: Union[str, None] = None
    slots: dict[str, Any] = {}
    wait_s: float = 0.0
    announces: str = ""


class DialogueSpec(Struct, frozen=True):
    """One dialogue of a file; turns are read one by one, so that each fault has its line."""

    name: str
    turns: list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What is said and what is expected; see the top of this module."""

    say: str
    expect: str
    intent: str | None
    slots: Mapping[str, Any]
    wait_s: float
    announces: str
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """One dialogue."""

    name: str
    turns: tuple[Turn, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Played:
    """A turn that was played; `fault` says what is wrong with it, "" if nothing is."""

    turn: Turn
    decision: Decision | None
    fault: str


def read_scripts(path: Path) -> tuple[Script, ...]:
    """Read a file of dialogues. Raises InputError if there is none, ContextFaults for what is wrong in it."""
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), remedy="see docs/dialogue.md for how to write one")
    faults = Faults()
    located = read_yaml(path, path.name, faults)
    scripts: list[Script] = []
    if located is not None and isinstance(located.value, list):
        scripts = [script for item in located.value if (script := _script(item, faults)) is not None]
    elif not faults:
        faults.add(Place(path.name, 1), "must be a list of dialogues")
    if faults:
        raise ContextFaults(str(path.parent), faults)
    return tuple(scripts)


def play(script: Script, context: Context, clock: HeldClock | None = None) -> tuple[Played, ...]:
    """Type the dialogue into an assistant of its own; what came of each turn."""
    clock = clock or HeldClock()
    with stage(clock) as (skills, announced):
        recognizer = TextRecognizer()
        conversation = TypedConversation(Understander(recognizer, recognizer.prepare(context), skills, clock))
        return tuple(_played(turn, conversation.line, clock, announced) for turn in script.turns)


@contextmanager
def stage(clock: HeldClock) -> Iterator[tuple[Skills, queue.SimpleQueue[str]]]:
    """All skills over an empty folder, and what they announce."""
    announced: queue.SimpleQueue[str] = queue.SimpleQueue()

    def announce(text: str, *, ring: bool = True) -> None:
        del ring
        announced.put(text)

    with tempfile.TemporaryDirectory(prefix="assistant-dialogue-") as folder:
        skills = open_skills(Services(clock, Path(folder), announce))
        try:
            yield skills, announced
        finally:
            skills.close()


def fault_of(turn: Turn, decision: Decision, compared: Callable[[str], str] = str) -> str:
    """What of `decision` is not as `turn` expects it, "" if nothing is. compared: how replies are compared."""
    understanding, reply = decision.understanding, decision.reply.text
    if compared(reply) != compared(turn.expect):
        return f"“{turn.say}” should be answered “{turn.expect}” and is answered “{reply}”"
    if turn.intent is not None and understanding.intent != turn.intent:
        return f"“{turn.say}” should mean {turn.intent} and means {understanding.intent or 'nothing'}"
    slots = understanding.slots
    wrong = any(compared(str(slots.get(name))) != compared(str(value)) for name, value in turn.slots.items())
    return f"“{turn.say}” should have {turn.slots} and has {dict(understanding.slots)}" if wrong else ""


def _played(turn: Turn, line: Callable[[str], Decision], clock: HeldClock, announced: queue.SimpleQueue[str]) -> Played:
    clock.advance(turn.wait_s)
    if turn.announces:
        try:
            heard = announced.get(timeout=PATIENCE_S)
        except queue.Empty:
            heard = ""
        if heard != turn.announces:
            return Played(turn, None, f"“{turn.announces}” should be announced, and it is “{heard}”")
    decision = line(turn.say)
    return Played(turn, decision, fault_of(turn, decision))


def _script(item: Located, faults: Faults) -> Script | None:
    spec = read(item, DialogueSpec, faults, "a dialogue")
    if spec is None:
        return None
    turns = []
    for located in item.value["turns"].value:
        turn = read(located, TurnSpec, faults, "a turn")
        if turn is not None:
            turns.append(
                Turn(turn.say, turn.expect, turn.intent, turn.slots, turn.wait_s, turn.announces, located.place)
            )
    return Script(spec.name, tuple(turns), item.place)
