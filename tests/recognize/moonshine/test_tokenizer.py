"""Canonical tokens of words, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import ModelError
from assistant.recognize.moonshine.tokenizer import BYTES, END, FIRST_BYTE, START, Tokenizer

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\u2581", exclude_categories=("Z", "C")), min_size=1)


def test_words_of_commands_have_the_tokens_that_the_recogniser_writes(tokenizer: Tokenizer) -> None:
    order = [token for word in "Can I have a light roast".split() for token in tokenizer.encode_word(word)]
    assert order == [1815, 306, 505, 263, 3578, 696, 579]
    assert tokenizer.decode([START, *order, END]) == "Can I have a light roast"


@given(words=st.lists(WORDS, min_size=1, max_size=5))
def test_any_words_read_back_as_they_were_written(words: list[str], tokenizer: Tokenizer) -> None:
    tokens = [token for word in words for token in tokenizer.encode_word(word)]
    assert tokenizer.decode(tokens) == " ".join(words)
    assert all(0 <= token < len(tokenizer) for token in tokens)


@given(word=WORDS, tail=WORDS)
def test_a_glued_word_joins_the_one_before(word: str, tail: str, tokenizer: Tokenizer) -> None:
    assert tokenizer.decode([*tokenizer.encode_word(word), *tokenizer.encode_word(tail, glued=True)]) == word + tail


@pytest.mark.parametrize(("word", "spelled"), [("kitchen", True), ("café", True), ("厨", False), ("ꙮ", False)])
def test_words_that_need_single_bytes_are_told(word: str, spelled: bool, tokenizer: Tokenizer) -> None:  # noqa: FBT001
    tokens = tokenizer.encode_word(word)
    assert tokenizer.can_spell(word) == spelled
    assert any(FIRST_BYTE <= token < FIRST_BYTE + BYTES for token in tokens) != spelled


def test_pieces_of_words_are_told_from_signs_and_bytes(tokenizer: Tokenizer) -> None:
    text = {
        word: [tokenizer.is_text(token) for token in tokenizer.encode_word(word)] for word in ("oat", "o'clock", "%")
    }
    assert all(text["oat"])
    assert all(text["o'clock"])
    assert not all(text["%"])
    assert not any(tokenizer.is_text(token) for token in range(FIRST_BYTE + BYTES))
    assert tokenizer.begins_word(tokenizer.encode_word("oat")[0])
    assert not tokenizer.begins_word(tokenizer.encode_word("oat", glued=True)[0])


def test_a_missing_tokenizer_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tokenizer cannot be read; reinstall the model"):
        Tokenizer.load(tmp_path / "tokenizer.bin")
