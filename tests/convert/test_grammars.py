from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.grammar.match import match
from convert.grammars import lattice, text_contexts

WORDS = "one two three four five six seven eight nine ten eleven red green blue small large".split()
SENTENCES = [
    ("lights", (("turn on the", ""), (colour, "colour"), ("lamp", ""))) for colour in ("red", "green", "blue", "white")
] + [("music", (("play", ""), (name, "artist"))) for name in ("abba", "queen", "the doors", "prince", "bach")]


@given(st.lists(st.sampled_from(WORDS), min_size=2, max_size=8), st.integers(0, 10_000))
def test_what_was_read_is_always_among_what_a_lattice_accepts(words: list[str], seed: int) -> None:
    said = " ".join(words)
    made = lattice(said, WORDS, random.Random(seed), complete=bool(seed % 2))
    assert dict(made.said) in [dict(found.slots) for found in match(made.context, said)]


def test_a_lattice_for_cut_sound_lets_no_word_be_left_out() -> None:
    for seed in range(60):
        made = lattice("one two three four", WORDS, random.Random(seed), complete=True)
        assert not match(made.context, "one two three")


def test_a_lattice_offers_something_else_too() -> None:
    made = lattice("red lamp", WORDS, random.Random(1), complete=False)
    assert any(len(values.values) > 1 for values in made.context.lists.values())  # type: ignore[union-attr]


def test_contexts_of_a_text_set_are_the_same_for_a_seed() -> None:
    one, other = (text_contexts("made", SENTENCES, 2, seed=1) for _ in range(2))
    assert [c.hash for c in one] == [c.hash for c in other]
    assert one[0].hash != one[1].hash


@pytest.mark.parametrize(
    ("sentence", "slots"), [("play queen", {"artist": "queen"}), ("play bach", {"artist": "bach"})]
)
def test_slots_of_a_text_set_take_other_values(sentence: str, slots: dict[str, str]) -> None:
    (context,) = text_contexts("made", SENTENCES, 1, seed=1)
    found = [dict(m.slots) for m in match(context, sentence)]
    assert any(slots.items() <= f.items() for f in found)
