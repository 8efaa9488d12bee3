"""A sentence of the grammar that says a given meaning: for what was understood without words.

templates ─► for each set of slots, the plainest way to say it ─► values put in ─► "can I get a large latte"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Union

from assistant.grammar.resolve import AFTER, BEFORE
from assistant.grammar.spelling import number_words
from assistant.grammar.tree import (
    Choice,
    Context,
    ListRef,
    ListValue,
    Node,
    NumberList,
    RuleRef,
    Sequence,
    Template,
    Text,
    TextList,
)

Frame = tuple[Union[str, ListRef], ...]
"""Words, and places for values."""
Ways = Mapping[frozenset[ListRef], tuple[float, Frame]]
"""For each set of places that can be filled, the likeliest frame and its weight, nats."""
ARTICLES = ("a", "an")
ARTICLE = "(a|an)"
"""Stands in a frame where the grammar offers both articles, until the word behind it is known."""
SILENT_H = ("hour", "honest", "honour", "honor", "heir")
CONSONANT_FIRST = ("one", "once", "uni", "use", "usu", "eu", "ufo")
MOST_WAYS = 4096
"""A grammar that can fill more sets of places than this is not told apart further."""


class Wordings:
    """Says meanings of one context. Frames are made when they are first needed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rules: dict[str, Ways] = {}
        self._ways: dict[int, Ways] = {}

    def say(self, intent: str, slots: Mapping[str, Any]) -> tuple[str, Template] | None:
        """A sentence that means `intent` with exactly these slots, and its template; None where there is none."""
        for number, template in enumerate(self._context.templates):
            if template.intent != intent or any(slots.get(name) != value for name, value in template.slots.items()):
                continue
            wanted = {name: value for name, value in slots.items() if name not in template.slots}
            for places, (_, frame) in self._of(number, template).items():
                if {place.slot for place in places} == set(wanted) and len(places) == len(wanted):
                    text = self._filled(frame, wanted)
                    if text is not None:
                        return text, template
        return None

    def _of(self, number: int, template: Template) -> Ways:
        if number not in self._ways:
            self._ways[number] = self._frames(template.node)
        return self._ways[number]

    def _frames(self, node: Node) -> Ways:
        if isinstance(node, Text):
            return {frozenset(): (0.0, (node.text,))}
        if isinstance(node, ListRef):
            return {frozenset((node,)): (0.0, (node,))}
        if isinstance(node, RuleRef):
            if node.rule in (BEFORE, AFTER):
                return {frozenset(): (0.0, ())}
            if node.rule not in self._rules:
                self._rules[node.rule] = self._frames(self._context.rules[node.rule])
            return self._rules[node.rule]
        if isinstance(node, Sequence):
            return self._joined(node)
        return self._chosen(node)

    def _chosen(self, node: Choice) -> Ways:
        found: dict[frozenset[ListRef], tuple[float, Frame]] = {}
        either = {item.text.strip() for item in node.items if isinstance(item, Text)}.issuperset(ARTICLES)
        weights = node.weights or (0.0,) * len(node.items)
        for item, weight in zip(node.items, weights, strict=True):
            for places, (own, frame) in self._frames(item).items():
                if places not in found or own + weight > found[places][0]:
                    found[places] = (own + weight, _open_article(frame) if either else frame)
        return found

    def _joined(self, node: Sequence) -> Ways:
        found: dict[frozenset[ListRef], tuple[float, Frame]] = {frozenset(): (0.0, ())}
        for item in node.items:
            longer: dict[frozenset[ListRef], tuple[float, Frame]] = {}
            for places, (weight, frame) in found.items():
                for more, (own, rest) in self._frames(item).items():
                    both = places | more
                    twice = len(both) < len(places) + len(more)
                    if twice or len({place.slot for place in both}) < len(both) or len(longer) >= MOST_WAYS:
                        continue
                    if both not in longer or weight + own > longer[both][0]:
                        longer[both] = (weight + own, (*frame, *rest))
            found = longer
        return found

    def _filled(self, frame: Frame, slots: Mapping[str, Any]) -> str | None:
        parts = []
        for piece in frame:
            said = piece if isinstance(piece, str) else self._value(piece, slots[piece.slot])
            if said is None:
                return None
            parts.append(said)
        words = "".join(parts).split()
        pairs = zip(words, [*words[1:], ""], strict=True)
        return " ".join(article_for(behind) if word == ARTICLE else word for word, behind in pairs)

    def _value(self, place: ListRef, value: Any) -> str | None:
        """How a value of a list is said, None where it is none of it."""
        values = self._context.lists[place.list]
        if isinstance(values, TextList):
            listed = next((v for v in values.values if v.value == value), None)
            return None if listed is None else self._plain(listed)
        if isinstance(values, NumberList) and isinstance(value, (int, float)):
            number = value / values.multiplier
            if number.is_integer() and int(number) in range(values.start, values.stop + 1, values.step):
                return number_words(int(number))
        return None

    def _plain(self, listed: ListValue) -> str | None:
        """The first wording of a value."""
        way = self._frames(listed.node).get(frozenset())
        return None if way is None else "".join(piece for piece in way[1] if isinstance(piece, str))


def _open_article(frame: Frame) -> Frame:
    """`frame` with ARTICLE in place of an article that is all of it."""
    said = frame[0] if len(frame) == 1 and isinstance(frame[0], str) else ""
    return (said.replace(said.strip(), ARTICLE),) if said.strip() in ARTICLES else frame


def article_for(word: str) -> str:
    """The English article before `word`, by its first sound: "an eight", "a one", "an hour", "a unit"."""
    plain = word.lower()
    spoken = number_words(int(plain)) if plain.isdecimal() else plain
    vowel = spoken.startswith(SILENT_H) or (spoken[:1] in tuple("aeiou") and not spoken.startswith(CONSONANT_FIRST))
    return ARTICLES[vowel]


def values_of(context: Context, place: ListRef, most: int) -> tuple[Any, ...] | None:
    """All values that `place` can take, in order; None where they are free words or more than `most`."""
    values = context.lists[place.list]
    if isinstance(values, TextList):
        found = tuple(dict.fromkeys(value.value for value in values.values))
    elif isinstance(values, NumberList) and not values.halves:
        numbers = (n * values.multiplier for n in range(values.start, values.stop + 1, values.step))
        found = tuple(int(n) if math.isclose(n, round(n)) else n for n in numbers)
    else:
        return None
    return found if len(found) <= most else None


def places_of(context: Context) -> tuple[ListRef, ...]:
    """Every place for a value in `context`, each once."""
    found: dict[ListRef, None] = {}

    def walk(node: Node) -> None:
        if isinstance(node, ListRef):
            found[node] = None
        elif isinstance(node, RuleRef):
            walk(context.rules[node.rule])
        elif isinstance(node, (Sequence, Choice)):
            for item in node.items:
                walk(item)

    for template in context.templates:
        walk(template.node)
    return tuple(found)
