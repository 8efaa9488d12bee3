"""The parser finds exactly what the writer of a sentence meant, all of it where a sentence has two meanings."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assistant.grammar.load import load_context
from assistant.grammar.meaning import MeaningParser
from assistant.grammar.sample import sample
from assistant.grammar.tree import Choice, Context, ListRef, ListValue, NumberList, Sequence, Template, Text, TextList
from assistant.grammar.tree import Wildcard as Free
from assistant.recognize.moonshine.tokenizer import Tokenizer
from tests.grammar.written_out import Language, Letters, TooMany, context_with, contexts, language, network_of

LETTERS = Letters()


def parser_of(context: Context, spelling: Letters | Tokenizer = LETTERS) -> MeaningParser:
    return MeaningParser(network_of(context, spelling), spelling.decode)


def spelled(text: str, spelling: Letters | Tokenizer = LETTERS) -> tuple[int, ...]:
    return tuple(token for word in text.split() for token in spelling.encode_word(word))


def meant(context: Context, text: str) -> list[tuple[str, dict[str, object]]]:
    return [(found.intent, dict(found.slots)) for found in parser_of(context).parse(spelled(text))]


def written(context: Context) -> Language:
    try:
        return language(context, LETTERS)
    except TooMany:
        assume(False)
        raise


@settings(max_examples=80)
@given(context=contexts())
def test_a_sentence_means_exactly_what_its_wordings_mean_with_the_best_weight_of_each(context: Context) -> None:
    parser = parser_of(context)
    for tokens, meanings in written(context).items():
        found = parser.parse(tokens)
        assert {meaning.key: meaning.weight for meaning in found} == pytest.approx(meanings)
        assert [m.weight for m in found] == sorted((m.weight for m in found), reverse=True)


@settings(max_examples=30)
@given(context=contexts(), data=st.data())
def test_what_is_not_in_the_language_means_nothing(context: Context, data: st.DataObject) -> None:
    sentences = written(context)
    tokens = data.draw(st.sampled_from(sorted(sentences)))
    cut = data.draw(st.integers(0, len(tokens)))
    broken = (*tokens[:cut], ord("q"), *tokens[cut:])  # no word has a q
    assert parser_of(context).parse(broken) == []


@settings(max_examples=30)
@given(context=contexts(), seed=st.randoms(use_true_random=False))
def test_the_order_in_which_sentences_are_parsed_changes_nothing(context: Context, seed: Random) -> None:
    sentences = sorted(written(context))
    seed.shuffle(sentences)
    parser = parser_of(context)
    for tokens in sentences[:20]:
        assert parser.parse(tokens) == parser_of(context).parse(tokens)
    parser.forget()
    assert parser.parse(sentences[0]) == parser_of(context).parse(sentences[0])


@pytest.mark.parametrize("name", ["barista", "home"])
def test_sentences_drawn_from_a_context_mean_what_they_were_drawn_for(name: str, tokenizer: Tokenizer) -> None:
    context = load_context(name)
    parser = parser_of(context, tokenizer)
    for drawn in sample(context, 120, seed=3):
        found = parser.parse(spelled_with_glue(drawn.text, tokenizer))
        assert (drawn.intent, dict(drawn.slots)) in [(m.intent, dict(m.slots)) for m in found], drawn.text
        parser.forget()


def spelled_with_glue(text: str, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Tokens of a drawn sentence: "fifty%" is a number with a sign glued to it."""
    words = (part for word in text.split() for part in _parts(word))
    return tuple(token for word, glued in words for token in tokenizer.encode_word(word, glued=glued))


def _parts(word: str) -> Iterator[tuple[str, bool]]:
    yield word.removesuffix("%"), False
    if word.endswith("%"):
        yield "%", True


NUMBERS = NumberList("minutes", 0, 120, halves=True, multiplier=60)
TIMER = context_with(
    Template("Start", Sequence((Text("timer for "), ListRef("minutes", "seconds"), Text(" minutes"))), ""),
    lists={"minutes": NUMBERS},
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("timer for five minutes", 300),
        ("Timer for 5 minutes", 300),
        ("timer for twenty five minutes", 1500),
        ("timer for twenty-five minutes", 1500),
        ("timer for a hundred and one minutes", 6060),
        ("timer for two and a half minutes", 150),
        ("timer for 2.5 minutes", 150),
        ("timer for zero minutes", 0),
    ],
)
def test_a_number_is_its_value_however_it_is_written(text: str, seconds: int) -> None:
    assert meant(TIMER, text) == [("Start", {"seconds": seconds})]


def test_a_number_joined_by_a_hyphen_keeps_its_value() -> None:
    joined = (token for word in ("-", "minutes") for token in LETTERS.encode_word(word, glued=True))
    tokens = (*spelled("timer for 5"), *joined)
    (found,) = parser_of(TIMER).parse(tokens)
    assert found.slots == {"seconds": 300}


NOTES = context_with(
    Template("Add", Sequence((Text("add "), ListRef("any", "item"), Text(" to my list"))), "", {"list": "shopping"}),
    Template("Note", Sequence((Text("add "), ListRef("any", "note"), Choice((Text(" now"), Text(""))))), "", weight=-1),
    lists={"any": Free("any")},
)


def test_a_wildcard_keeps_the_words_that_were_said() -> None:
    assert meant(NOTES, "add oat milk now") == [
        ("Note", {"note": "oat milk"}),
        ("Note", {"note": "oat milk now"}),
    ]


def test_free_words_say_of_which_tokens_they_were_made() -> None:
    tokens = spelled("add oat milk to my list")
    found = {meaning.intent: meaning for meaning in parser_of(NOTES).parse(tokens)}
    words = {intent: [LETTERS.decode(tokens[slice(*span)]) for span in found[intent].free.values()] for intent in found}
    assert words == {"Add": ["oat milk"], "Note": ["oat milk to my list"]}


def test_free_words_take_no_sign_that_ends_them() -> None:
    parser = parser_of(NOTES)
    milk, stop = spelled("add milk"), LETTERS.encode_word(".", glued=True)
    assert [dict(found.slots) for found in parser.parse((*milk, *stop))] == [{"note": "milk"}]
    assert parser.parse((*milk, *stop, *spelled("now"))) == []


def test_a_sentence_with_two_meanings_gives_both_the_likelier_wording_first() -> None:
    assert meant(NOTES, "add Oat milk to my list") == [
        ("Add", {"item": "Oat milk", "list": "shopping"}),
        ("Note", {"note": "Oat milk to my list"}),
    ]


def test_two_intents_that_accept_the_same_words_are_both_found_and_equal_ones_only_once() -> None:
    value = TextList("room", (ListValue(Text("hall"), "hall"), ListValue(Text("hall"), "corridor", weight=-0.5)))
    context = context_with(
        Template("Light", Sequence((Text("light the "), ListRef("room", "area"))), ""),
        Template("Light", Sequence((Choice((Text("light"), Text("lit"))), Text(" the "), ListRef("room", "area"))), ""),
        Template("Burn", Sequence((Text("light the "), ListRef("room", "target"))), "", weight=-2.0),
        lists={"room": value},
    )
    assert meant(context, "light the hall") == [
        ("Light", {"area": "hall"}),
        ("Light", {"area": "corridor"}),
        ("Burn", {"target": "hall"}),
        ("Burn", {"target": "corridor"}),
    ]


def test_the_template_of_a_meaning_is_told_because_it_chooses_the_reply() -> None:
    (found,) = parser_of(NOTES).parse(spelled("add milk"))
    assert NOTES.templates[found.template].intent == "Note"
