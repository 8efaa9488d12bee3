"""Peers hear the same sound and are asked the same question."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import ContextError
from assistant.grammar.load import load_context
from assistant.grammar.match import match
from assistant.grammar.sample import sample
from assistant.grammar.tree import TextList
from benchmarks.jsgf import to_jsgf
from benchmarks.sentences import belongs, known_sentences

pocketsphinx = pytest.importorskip(
    "pocketsphinx", reason="pocketsphinx has no wheel for this Python, or the extra bench is not installed"
)


def sphinx_accepts(grammar: str, folder: Path, sentences: list[str]) -> list[bool]:
    """Whether each sentence is in the grammar, as PocketSphinx itself reads it: by forced alignment of its words."""
    file = folder / "context.jsgf"
    file.write_text(grammar)
    decoder = pocketsphinx.Decoder(jsgf=str(file), loglevel="FATAL")
    assert decoder.current_search() is not None
    return [all(decoder.lookup_word(word) for word in sentence.split()) for sentence in sentences]


def test_the_grammar_loads_and_every_word_of_the_context_can_be_pronounced(tmp_path: Path) -> None:
    context = load_context("barista")
    sentences = [s.text.lower().replace("-", " ") for s in sample(context, 40, seed=3)]
    assert all(sphinx_accepts(to_jsgf(context), tmp_path, sentences))


def test_a_wildcard_has_no_jsgf() -> None:
    with pytest.raises(ContextError, match="wildcard"):
        to_jsgf(load_context("home"))


def test_sentences_to_speak_have_no_free_names() -> None:
    context = load_context("home")
    known = known_sentences(context, 40, seed=5)
    assert len({s.text for s in known}) == 40
    values = {
        str(value.value) for found in context.lists.values() if isinstance(found, TextList) for value in found.values
    }
    assert {str(s.slots["item"]) for s in known if "item" in s.slots} <= values
    assert all(match(context, s.text) for s in known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn on the desk lamp please", True),
        ("turn of the desk lamp", True),
        ("who won the football game yesterday", False),
        ("", False),
    ],
)
def test_foreign_is_only_what_the_context_cannot_mean(text: str, *, expected: bool) -> None:
    assert belongs(text, load_context("home")) is expected
