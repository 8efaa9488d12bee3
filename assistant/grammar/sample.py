"""Sentences drawn from a context with what they mean, balanced: every intent, template and value gets its turn.

Within a template alternatives are drawn by their weights; values of a list come from a shuffled deck, so that all have
been said before one is said again. Numbers are written as words, as they are spoken.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from assistant.grammar.resolve import AFTER, BEFORE
from assistant.grammar.spelling import number_words
from assistant.grammar.together import repeats
from assistant.grammar.tree import (
    Choice,
    Context,
    ListRef,
    Node,
    NumberList,
    RuleRef,
    Sequence,
    Template,
    Text,
    TextList,
)

WILDCARD_NAMES = ("oat milk", "batteries", "pasta", "birthday cake", "green tea", "light bulbs", "laundry", "tomatoes")

SKIPPED_WORDS = 0.1  # how often a sentence begins, or ends, with one of the words to skip, if there are any


@dataclass(frozen=True, slots=True)
class Sample:
    """One sentence and its meaning; `template` is where it comes from."""

    text: str
    intent: str
    slots: Mapping[str, Any]
    template: Template


def sample(context: Context, n: int, seed: int = 0, names: Items[str] = WILDCARD_NAMES) -> list[Sample]:
    """Draw `n` sentences; the same seed gives the same ones. names: what wildcards are filled with."""
    draw = _Draw(context, random.Random(seed), names)
    intents: dict[str, list[Template]] = {}
    for template in context.templates:
        intents.setdefault(template.intent, []).append(template)
    turns = draw.deck(tuple(intents))
    decks = {intent: draw.deck(templates) for intent, templates in intents.items()}
    return [draw.sentence(next(decks[next(turns)])) for _ in range(n)]


class _Draw:
    def __init__(self, context: Context, rng: random.Random, names: Items[str]) -> None:
        self._context = context
        self._rng = rng
        self._names = self.deck(tuple(names))
        self._lists: dict[str, Iterator[Any]] = {}
        self._slots: dict[str, Any] = {}

    def deck(self, items: Items[Any]) -> Iterator[Any]:
        """Endless: all items in a random order, then all in another."""
        while True:
            yield from self._rng.sample(items, len(items))

    def sentence(self, template: Template) -> Sample:
        sentence = self._once(template)
        while repeats(sentence.intent, sentence.slots):  # two commands about one thing: nobody says that
            sentence = self._once(template)
        return sentence

    def _once(self, template: Template) -> Sample:
        self._slots = dict(template.slots)
        text = " ".join(self._text(template.node).split())
        return Sample(text, template.intent, MappingProxyType(self._slots), template)

    def _text(self, node: Node) -> str:
        if isinstance(node, Text):
            return node.text
        if isinstance(node, Sequence):
            return "".join([self._text(item) for item in node.items])
        if isinstance(node, Choice):
            weights = [math.exp(weight) for weight in node.weights] or None
            return self._text(self._rng.choices(node.items, weights)[0])
        if isinstance(node, RuleRef):
            skipped = node.rule in (BEFORE, AFTER) and self._rng.random() > SKIPPED_WORDS
            return "" if skipped else self._text(self._context.rules[node.rule])
        return self._value(node)

    def _value(self, reference: ListRef) -> str:
        values = self._context.lists[reference.list]
        if isinstance(values, TextList):
            value = next(self._lists.setdefault(reference.list, self.deck(values.values)))
            text = self._text(value.node)
            self._slots[reference.slot] = value.value
            return text
        if isinstance(values, NumberList):
            numbers = range(values.start, values.stop + 1, values.step)
            number = next(self._lists.setdefault(reference.list, self.deck(numbers)))
            half = values.halves and self._rng.random() < 0.25
            scaled = (number + 0.5 * half) * values.multiplier
            self._slots[reference.slot] = int(scaled) if float(scaled).is_integer() else scaled
            return number_words(number) + (" and a half" if half else "")
        name: str = next(self._names)
        self._slots[reference.slot] = name
        return name
