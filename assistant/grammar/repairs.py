"""What may be wrong with a typed sentence, and what it costs to mend it. A cost of 1 is one wrong letter.

The wording may be wrong, the meaning is never made up: numbers are taken as they are, and a typed "not" is not passed
over.

    repair                         cost
    word one, two slips off        1, 1.5; and 1.5 more if what was typed is itself a word of the context
    typed word passed over         0.1 filler ("please"), 0.3 function word, 2.5 unknown, 3 known, 4 number
    word of the grammar missing    0.3 function word, 2.5 other; inside a list's value 1.4 times that
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from assistant.grammar.typed import is_number

SLIP_COST = {1: 1.0, 2: 1.5}
KNOWN_WORD_COST = 1.5
FILLER_COST = 0.1
FUNCTION_WORD_COST = 0.3
UNKNOWN_WORD_COST = 2.5
PASSED_WORD_COST = 3.0
PASSED_NUMBER_COST = 4.0
MISSING_WORD_COST = 2.5
INSIDE_VALUE = 1.4
"""A missing word inside a list's value costs so many times as much as elsewhere."""

FILLERS = frozenset(
    {"please", "pls", "plz", "um", "uh", "er", "erm", "hm", "hey", "ok", "okay", "well", "just", "thanks", "kindly"}
)
FUNCTION_WORDS = frozenset(
    {"a", "an", "the", "my", "our", "of", "to", "for", "at", "is", "are", "it", "and", "me", "i"}
)
REVERSING = frozenset({"not", "dont", "doesnt", "no", "never", "without", "except", "but", "unless", "nor", "neither"})
"""Without these the rest means something else, so they are never passed over."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One repair: what was typed ("" where a word was missing) and what was meant ("" where it was passed over)."""

    typed: str
    meant: str


def slip_cost(slips: int, *, known: bool) -> float:
    """Of a typed word that is `slips` off the one that was meant. known: what was typed is a word of the context."""
    return SLIP_COST[slips] + (KNOWN_WORD_COST if known else 0.0)


def passing_cost(word: str, near: tuple[str, ...], *, known: bool) -> float:
    """Of passing over a typed word. near: the words of the context that it may be meant to be."""
    if word in REVERSING:
        return math.inf
    if word in FILLERS:
        return FILLER_COST
    if word in FUNCTION_WORDS:
        return FUNCTION_WORD_COST
    # What looks like a known word is as dear as that: "fiften" is not passed over lightly.
    if any(map(is_number, (word, *near))):
        return PASSED_NUMBER_COST
    return PASSED_WORD_COST if near or known else UNKNOWN_WORD_COST


def missing_cost(word: str, *, inside: bool) -> float:
    """Of a word of the grammar that was not typed. inside: in a list's value."""
    cost = FUNCTION_WORD_COST if word in FUNCTION_WORDS else MISSING_WORD_COST
    return cost * INSIDE_VALUE if inside else cost


def made_up(edits: Iterable[Edit]) -> int:
    """Words that are missing or passed over and mean something."""
    lone = (edit.typed or edit.meant for edit in edits if not (edit.typed and edit.meant))
    return sum(word not in FILLERS | FUNCTION_WORDS for word in lone)
