"""Expected sentences of a context, and whether it means by them what its author does.

- text: can I have a large latte
  intent: orderDrink
  slots: {size: large, coffeeDrink: latte}     all slots, fixed ones too; left out means none
- text: can I have a large
  intent: null                                 must not be understood
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from msgspec import Struct

from assistant.errors import InputError
from assistant.grammar.match import Match, matcher_of
from assistant.grammar.places import ContextFaults, Fault, Faults, read_yaml
from assistant.grammar.schema import read
from assistant.grammar.tree import Context, Place

TESTS_FILE = "tests.yaml"


class ExpectedSpec(Struct, frozen=True):
    """One item of the file."""

    text: str
    intent: Union[str, None]
    slots: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Expected:
    """A sentence and what it should mean; intent None: nothing."""

    text: str
    intent: str | None
    slots: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: `got` holds every meaning of the sentence, best first."""

    expected: Expected
    got: tuple[Match, ...]

    @property
    def passed(self) -> bool:
        """True if the sentence has the expected meaning and no other, or is refused as expected."""
        if self.expected.intent is None:
            return not self.got
        if len(self.got) != 1:
            return False
        return self.got[0].intent == self.expected.intent and dict(self.got[0].slots) == dict(self.expected.slots)

    def __str__(self) -> str:
        wanted = _meaning(self.expected.intent, self.expected.slots)
        got = " and ".join(_meaning(match.intent, match.slots) for match in self.got) or "nothing"
        return f'"{self.expected.text}" should mean {wanted} and means {got}'


def read_expected(path: Path) -> tuple[Expected, ...]:
    """Read a file of expected sentences. Raises InputError if there is none, ContextFaults for what is wrong in it."""
    if not path.exists():
        raise InputError("there is no such file", where=str(path), remedy="write the sentences that must work into it")
    faults = Faults()
    located = read_yaml(path, path.name, faults)
    expected = []
    if located is not None and isinstance(located.value, list):
        for item in located.value:
            spec = read(item, ExpectedSpec, faults, "a sentence")
            if spec is not None:
                expected.append(Expected(spec.text, spec.intent, spec.slots, item.place))
    elif not faults:
        faults.add(Place(path.name, 1), "must be a list of sentences")
    if faults:
        raise ContextFaults(str(path.parent), faults)
    return tuple(expected)


def run_expected(context: Context, expected: tuple[Expected, ...]) -> tuple[Result, ...]:
    """Match every sentence exactly as it stands (no repairs)."""
    matcher = matcher_of(context)
    return tuple(Result(item, matcher.match(item.text)) for item in expected)


def _meaning(intent: str | None, slots: Mapping[str, Any]) -> str:
    if intent is None:
        return "nothing"
    return f"{intent}({', '.join(f'{name}: {value}' for name, value in sorted(slots.items()))})"


def faults_of(results: tuple[Result, ...]) -> tuple[Fault, ...]:
    """The failed ones as faults with their places."""
    return tuple(Fault(result.expected.place, str(result)) for result in results if not result.passed)
