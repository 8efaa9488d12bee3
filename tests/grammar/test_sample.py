"""Sentences drawn from a context are sentences of it, mean what is said, and leave nothing out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.sample import sample
from assistant.grammar.tree import Context

ContextOf = Callable[..., Context]


@pytest.mark.parametrize("name", ["barista", "home"])
@given(seed=st.integers(0, 2**31))
def test_every_sample_is_understood_as_what_it_means(name: str, seed: int) -> None:
    context = load_context(name)
    for drawn in sample(context, 3, seed):
        meanings = [(found.intent, dict(found.slots)) for found in match(context, drawn.text)]
        assert (drawn.intent, dict(drawn.slots)) in meanings


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    context = load_context("home")
    texts = [[drawn.text for drawn in sample(context, 30, seed)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_intents_templates_and_values_have_equal_turns() -> None:
    context = load_context("home")
    drawn = sample(context, 60 * len(context.intents))
    intents = Counter(item.intent for item in drawn)
    assert set(intents.values()) == {60}
    for intent in context.intents:
        templates = Counter(id(item.template) for item in drawn if item.intent == intent)
        assert max(templates.values()) - min(templates.values()) <= 1
    colours = Counter(item.slots["color"] for item in drawn if "color" in item.slots)
    assert max(colours.values()) - min(colours.values()) <= 1


def test_numbers_are_written_as_words_and_multiplied_in_the_slot(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = """
    intents: {Down: {data: [{sentences: ["down by {step}"]}]}}
    lists: {step: {range: {from: 21, to: 22, multiplier: -1}}}
    """
    drawn = {(item.text, item.slots["step"]) for item in sample(context_of(tmp_path, sentences), 10)}
    assert drawn == {("down by twenty one", -21), ("down by twenty two", -22)}


def test_rare_alternatives_are_drawn_rarely(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = "intents: {Off: {data: [{sentences: ['turn (off|out) the lamp']}]}}"
    drawn = Counter(item.text for item in sample(context_of(tmp_path, sentences, context="rare: {out: 0.02}"), 2000))
    assert 5 < drawn["turn out the lamp"] < 120


def test_wildcards_are_filled_with_the_names_that_are_given(tmp_path: Path, context_of: ContextOf) -> None:
    sentences = "intents: {Add: {data: [{sentences: ['add {item}']}]}}\nlists: {item: {wildcard: true}}"
    drawn = sample(context_of(tmp_path, sentences), 4, names=("nails", "wood glue"))
    assert {item.text for item in drawn} == {"add nails", "add wood glue"}
    assert all(item.text == f"add {item.slots['item']}" for item in drawn)
