"""Numbers and words as a recogniser may write them; the meaning is the same however it was written."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistant.grammar.spelling import MAX_SPELLINGS, VALUES, number_words, number_writings, spellings


def value_of(words: str) -> int:
    """Read number words back: an independent, left-to-right evaluation."""
    total = part = 0
    for word in words.replace("-", " ").split():
        if word == "thousand":
            total, part = total + part * 1000, 0
        elif word == "hundred":
            part *= 100
        elif word == "a":
            part += 1
        elif word != "and":
            part += VALUES[word]
    return total + part


@given(st.integers(0, 999_999))
@example(0)
@example(100)
@example(21_000)
@example(100_100)
def test_number_words_read_back_as_the_number(value: int) -> None:
    assert value_of(number_words(value)) == value


@given(st.integers(0, 999_999))
def test_every_writing_of_a_number_is_that_number_and_no_two_are_equal(value: int) -> None:
    writings = number_writings(value)
    assert {int(w) if w.isdigit() else value_of(w) for w in writings} == {value}
    assert len(set(writings)) == len(writings)
    assert writings[0] == number_words(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, {"seven", "7"}),
        (25, {"twenty five", "twenty-five", "25"}),
        (100, {"one hundred", "a hundred", "100"}),
        (-3, {"minus three", "-3"}),
        (142, {"one hundred forty two", "one hundred and forty-two", "a hundred and forty two", "142"}),
    ],
)
def test_numbers_have_their_usual_writings(value: int, expected: set[str]) -> None:
    assert expected <= set(number_writings(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twelve ounce", {"twelve ounce", "12 ounce", "12-ounce", "twelve-ounce"}),
        ("a twenty five minute", {"a twenty-five minute", "a 25 minute", "a 25-minute"}),
        ("route 66", {"route 66", "route sixty six", "route sixty-six"}),
        ("twelve", {"twelve", "12"}),
    ],
)
def test_number_words_in_a_template_are_also_written_in_digits_and_with_a_hyphen(text: str, expected: set[str]) -> None:
    assert expected <= set(spellings(text, {}))


def test_numbers_inside_words_are_left_alone() -> None:
    assert spellings("often someone weighs a tone", {}) == ("often someone weighs a tone",)


def test_variants_of_a_word_are_the_contexts_own() -> None:
    assert spellings("an Iced coffee", {"iced": ("ice",)}) == ("an Iced coffee", "an ice coffee")


@given(
    words=st.lists(st.sampled_from(("iced", "one", "twenty", "coffee", "42", "five", "s")), max_size=7),
    before=st.sampled_from(("", " ")),
    after=st.sampled_from(("", " ")),
)
def test_a_text_is_its_own_first_spelling_its_ends_are_kept_and_there_are_never_too_many(
    words: list[str], before: str, after: str
) -> None:
    text = before + " ".join(words) + after
    found = spellings(text, {"iced": ("ice",), "coffee": ("cofe", "caffee")})
    assert found[0] == text
    assert len(found) == len(set(found)) <= MAX_SPELLINGS
    for writing in found:
        assert writing.startswith(" ") == text.startswith(" ")
        assert writing.endswith(" ") == text.endswith(" ")
