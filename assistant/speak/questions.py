"""Asking back in few words: of two meanings only what differs is named ("Twelve ounces or twenty?").

differ in             question
one slot, both said   Twelve ounces or twenty?
one slot, one said    With milk, or not?
several slots         Large latte or small mocha?
the intent            Turn on the lamp, or turn off the lamp?
nothing (unsure)      Did you say: turn on the lamp?
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

INTENT = "intent"

# More differing slots than this are not enumerated: both sentences are said.
MAX_NAMED_SLOTS = 3

# Units that follow a number, singular to plural; also recognised as slot names ("minutes": 15).
_PLURALS = {
    "ounce": "ounces",
    "minute": "minutes",
    "hour": "hours",
    "second": "seconds",
    "day": "days",
    "week": "weeks",
    "degree": "degrees",
    "cup": "cups",
    "shot": "shots",
    "pump": "pumps",
    "litre": "litres",
    "liter": "liters",
    "percent": "percent",
}
_UNITS = frozenset(_PLURALS) | frozenset(_PLURALS.values())
_NUMBER_WORD = re.compile(
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    "(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|half|and|a)",
    re.IGNORECASE,
)
_SYMBOL_UNITS = {"oz": "ounce", "%": "percent", "°": "degree", "min": "minute", "h": "hour", "s": "second"}


class Meaning(Protocol):
    """What a question is about: `Hypothesis`, `Alternative` and `Understanding` are meanings."""

    @property
    def intent(self) -> str:
        """Name of the intent."""
        ...

    @property
    def slots(self) -> Mapping[str, Any]:
        """Canonical values."""
        ...

    @property
    def text(self) -> str:
        """The best wording."""
        ...


def question(best: Meaning, other: Meaning | None = None, differs: Sequence[str] = ()) -> str:
    """Ask which of two meanings was meant, or with one alone whether it was.

    differs: the slot names in which they differ, or ("intent",), as `Understanding.differs` holds them.
    """
    if other is None or not differs:
        return _confirmation(best)
    if INTENT in differs or len(differs) > MAX_NAMED_SLOTS:
        return _about_all(best, other)
    if len(differs) == 1:
        return _about_one(differs[0], best, other)
    return _about_several(differs, best, other)


def _confirmation(meaning: Meaning) -> str:
    return f"Did you say: {_phrase(meaning)}?"


def _about_one(name: str, best: Meaning, other: Meaning) -> str:
    said, instead = best.slots.get(name), other.slots.get(name)
    if said is None or instead is None:
        fuller, barer = (best, other) if instead is None else (other, best)
        return f"{_capital(_addition(fuller, barer, name))}, or not?"
    first, second = _spoken(name, said), _spoken(name, instead)
    return _either(first, _without_shared_end(first, second))


def _about_several(names: Sequence[str], best: Meaning, other: Meaning) -> str:
    sides = [" ".join(_spoken(name, side.slots[name]) for name in _as_said(names, side)) for side in (best, other)]
    if not all(sides):
        return _about_all(best, other)
    return _either(sides[0], sides[1])


def _about_all(best: Meaning, other: Meaning) -> str:
    first, second = _phrase(best), _phrase(other)
    if first.lower() == second.lower():  # the same words may mean either: only the intents' names tell them apart
        first, second = _named(best.intent), _named(other.intent)
    return _either(first, second, comma=True)


def _as_said(names: Sequence[str], meaning: Meaning) -> list[str]:
    """Those of `names` that `meaning` has, in the order in which their values stand in its text."""
    text = meaning.text.lower()
    present = [name for name in names if meaning.slots.get(name) is not None]

    def place(name: str) -> int:
        found = text.find(_spoken(name, meaning.slots[name]).split(" ")[0].lower())
        return found if found >= 0 else len(text)

    return sorted(present, key=place)


def _addition(fuller: Meaning, barer: Meaning, name: str) -> str:
    """The words that the fuller wording has more, if they are one run; else the slot's value."""
    long, short = fuller.text.split(), barer.text.split()
    steps = difflib.SequenceMatcher(None, short, long, autojunk=False).get_opcodes()
    added = [long[from_:to] for step, _, _, from_, to in steps if step == "insert"]
    if len(added) == 1 and all(step in {"insert", "equal"} for step, *_ in steps):
        return " ".join(added[0]).strip(",.;: ")
    return f"with {_spoken(name, fuller.slots[name])}"


def _spoken(name: str, value: object) -> str:
    """A value in words: units in the plural, underscores as spaces, a number with its slot's unit."""
    if isinstance(value, bool):
        return name.replace("_", " ") if value else f"not {name.replace('_', ' ')}"
    words = f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ").strip()
    if isinstance(value, (int, float)):
        return f"{words} {_plural(name, words)}" if name.lower() in _UNITS else words
    head, _, unit = words.rpartition(" ")
    unit = _SYMBOL_UNITS.get(unit.lower(), unit)
    return f"{head} {_plural(unit, head)}" if head and _is_number(head) and unit.lower() in _UNITS else words


def _plural(unit: str, number: str) -> str:
    lower = unit.lower()
    if number.lower() in {"1", "one", "a", "an"}:
        return next((one for one, many in _PLURALS.items() if many == lower), lower)
    return _PLURALS.get(lower, lower)


def _is_number(words: str) -> bool:
    parts = words.replace("-", " ").split()
    return all(_NUMBER_WORD.fullmatch(part) or part.replace(".", "", 1).isdigit() for part in parts)


def _without_shared_end(first: str, second: str) -> str:
    """`second` without the last word if both end in it: "twelve ounces or twenty", "the kitchen light or the hall"."""
    a, b = first.split(), second.split()
    shared = len(a) > 1 and len(b) > 1 and a[-1].lower() == b[-1].lower()
    return " ".join(b[:-1]) if shared else second


def _phrase(meaning: Meaning) -> str:
    words = meaning.text.strip().rstrip(".?!,;: ")
    return words or _named(meaning.intent)


def _named(intent: str) -> str:
    """An intent's name as words: "HassTurnOn" and "turn_on" are "hass turn on" and "turn on"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", intent).replace("_", " ").lower()


def _either(first: str, second: str, *, comma: bool = False) -> str:
    return f"{_capital(first)}{',' if comma else ''} or {second}?"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
