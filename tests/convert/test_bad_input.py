"""Contexts of unusual sizes: one intent only; fifty intents and five hundred values."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import MappingProxyType

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context, ListRef, ListValue, Sequence, Template, Text, TextList
from convert.synthesize import FULL, Company, balanced, context_takes
from convert.voices import FORMANT, RECORDED

COMPANY = Company({"train": (), "valid": ()}, ("what a lovely day it is",), (*RECORDED, *FORMANT))
INTENTS, VALUES = 50, 500


def context(templates: tuple[Template, ...], values: tuple[str, ...]) -> Context:
    """A context of `templates` and one list, `place`."""
    places = TextList("place", tuple(ListValue(Text(value), value) for value in values))
    barista = load_context("barista")
    lists = MappingProxyType({"place": places})
    return replace(barista, name="made", templates=templates, lists=lists, hash="0" * 64)


def command(number: int) -> Template:
    """One intent's sentence with a slot."""
    text = f"number {number} at {{place}}"
    return Template(f"intent{number}", Sequence((Text(f"number {number} at "), ListRef("place", "place"))), text)


def test_one_intent_only_makes_takes_of_that_and_of_what_is_none_of_it() -> None:
    takes = list(context_takes(context((command(7),), ("home", "work")), COMPANY, 60, 0))
    assert Counter(take.intent for take in takes).keys() <= {"intent7", ""}
    assert any(take.intent == "" for take in takes)
    assert {str(take.slots["place"]) for take in takes if take.kind == FULL} == {"home", "work"}


def test_fifty_intents_and_five_hundred_values_are_all_said() -> None:
    values = tuple(f"place {i}" for i in range(VALUES))
    large = context(tuple(command(i) for i in range(INTENTS)), values)
    said = list(balanced(large, 2 * VALUES, 0))
    assert {sentence.intent for sentence in said} == {f"intent{i}" for i in range(INTENTS)}
    assert {dict(sentence.slots)["place"] for sentence in said} == set(values)
