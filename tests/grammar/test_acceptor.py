"""The acceptor accepts exactly the grammar's language over tokens, with the best weight of each sequence."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from assistant.errors import ContextError
from assistant.grammar.acceptor import Acceptor, Arcs, LazyAcceptor, TokenAcceptor, compile_acceptor
from assistant.grammar.count import count
from assistant.grammar.load import load_context
from assistant.grammar.tokens import Spelling
from assistant.grammar.tree import Choice, Context, ListRef, ListValue, Sequence, Template, Text, TextList, Wildcard
from assistant.recognize.moonshine.tokenizer import Tokenizer
from tests.grammar.written_out import (
    Letters,
    TooMany,
    accepted,
    context_with,
    contexts,
    language,
    lazy,
    network_of,
    weight_of,
)

LETTERS = Letters()


def compiled(context: Context, spelling: Spelling = LETTERS) -> Acceptor:
    return compile_acceptor(network_of(context, spelling))


def written(context: Context, spelling: Spelling) -> dict[tuple[int, ...], float]:
    """The language's sequences with the weight of the best wording of any meaning."""
    try:
        return {tokens: max(meanings.values()) for tokens, meanings in language(context, spelling).items()}
    except TooMany:
        assume(False)
        raise


@settings(max_examples=100)
@given(context=contexts())
def test_exactly_the_language_is_accepted_letter_by_letter(context: Context) -> None:
    expected = written(context, LETTERS)
    assert accepted(compiled(context)) == pytest.approx(expected, abs=0.002)


@settings(max_examples=50)
@given(context=contexts())
def test_exactly_the_language_is_accepted_in_the_recognisers_tokens(context: Context, tokenizer: Tokenizer) -> None:
    expected = written(context, tokenizer)
    assert accepted(compiled(context, tokenizer)) == pytest.approx(expected, abs=0.002)


@settings(max_examples=50)
@given(context=contexts())
def test_lazy_and_minimised_answer_alike_in_every_state(context: Context) -> None:
    written(context, LETTERS)
    assert_alike(lazy(context, LETTERS), compiled(context))


@pytest.mark.parametrize("name", ["barista", "home"])
def test_lazy_and_minimised_answer_alike_along_random_walks(name: str, tokenizer: Tokenizer) -> None:
    context = load_context(name)
    grown, whole = lazy(context, tokenizer), compiled(context, tokenizer)
    rng = random.Random(name)
    for _ in range(200):
        states = grown.start, whole.start
        for _ in range(30):
            after = [*alike(grown, whole, states)]
            if not after:
                break
            states = rng.choice(after)
    assert len(grown) > 100  # the walks went somewhere


@settings(max_examples=50)
@given(context=contexts())
def test_no_two_states_of_the_minimised_acceptor_are_equal(context: Context) -> None:
    written(context, LETTERS)
    assert_minimal(compiled(context))


@pytest.mark.parametrize("name", ["barista", "home"])
def test_contexts_that_ship_are_minimal_and_deterministic(name: str, tokenizer: Tokenizer) -> None:
    whole = compiled(load_context(name), tokenizer)
    assert_minimal(whole)
    for state in range(len(whole)):
        tokens = whole.arcs(state).tokens
        assert (np.diff(tokens) > 0).all()
    assert int(whole.to.max()) < len(whole)


@settings(max_examples=50)
@given(context=contexts())
def test_a_wording_is_terminal_if_nothing_more_can_be_said(context: Context) -> None:
    marks, silent = ({LETTERS.encode_word(mark, glued=True)[0] for mark in signs} for signs in (".?!", ".?!,-"))
    longer = {
        tokens[:end]
        for tokens in written(context, LETTERS)
        for end in range(len(tokens))
        if not silent.issuperset(tokens[end:])
    }
    whole = compiled(context)
    for tokens in accepted(whole):
        if not tokens or tokens[-1] not in marks:
            assert state_after(tokens, whole).terminal == (tokens not in longer), LETTERS.decode(tokens)


def test_a_pause_after_latte_may_go_on_but_not_after_the_sugar(tokenizer: Tokenizer) -> None:
    whole = compiled(load_context("barista"), tokenizer)

    def terminal(text: str) -> bool:
        return state_after(spelled(text, tokenizer), whole).terminal

    assert not terminal("give me a latte")
    assert not terminal("give me a latte,")
    assert not terminal("give me a latte with milk")
    assert terminal("give me a latte with milk and sugar")
    assert terminal("give me a latte with milk and sugar,")


THE_LAMP = context_with(
    Template("On", Sequence((Text("turn on "), ListRef("name", "name"), Text(" now"))), ""),
    Template("Say", Sequence((Text("say "), ListRef("any", "message"), Choice((Text(" please"), Text(""))))), ""),
    lists={
        "name": TextList("name", (ListValue(Text("lamp"), "lamp"), ListValue(Text("TV"), "television"))),
        "any": Wildcard("any"),
    },
)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("turn on lamp now", True),
        ("Turn on lamp, now.", True),
        ("turn on tv now?", True),
        ("turn on lamp- now", False),
        ("turn on Lamp now", False),
        ("turn On lamp now", False),
        ("turn on now", False),
        ("turn on lamp now.!", False),
        ("say", False),
        ("say hello", True),
        ("say hello there, world", True),
        ("say hello please please.", True),
        ("say please", True),
    ],
)
def test_commas_capitals_marks_and_free_words_stand_only_where_they_may(text: str, allowed: bool) -> None:  # noqa: FBT001
    for acceptor in (compiled(THE_LAMP), lazy(THE_LAMP, LETTERS)):
        assert (weight_of(acceptor, spelled(text, LETTERS)) > -math.inf) == allowed


@given(words=st.lists(st.text("abcdefghij", min_size=1, max_size=5), min_size=1, max_size=4))
@example(words=["please"])
def test_a_wildcard_takes_any_words_and_lazy_and_minimised_agree_within_it(words: list[str]) -> None:
    tokens = spelled(f"say {' '.join(words)}", LETTERS)
    assert weight_of(compiled(THE_LAMP), tokens) == weight_of(lazy(THE_LAMP, LETTERS), tokens) == 0.0
    assert_alike(lazy(THE_LAMP, LETTERS), compiled(THE_LAMP))


def test_the_best_of_two_weighted_ways_counts() -> None:
    context = context_with(
        Template("Off", Sequence((Text("turn "), Choice((Text("out"), Text("off")), (-3.0, 0.0)))), "", weight=-1.0),
        Template("Off", Text("turn out"), "", weight=-2.5),
    )
    whole = compiled(context)
    assert weight_of(whole, spelled("turn off", LETTERS)) == pytest.approx(-1.0)
    assert weight_of(whole, spelled("turn out", LETTERS)) == pytest.approx(-2.5)


def test_the_weight_of_free_words_is_not_lost() -> None:
    things = Choice((ListRef("any", "thing"), Text("milk")), (-1.0, 0.0))
    context = context_with(
        Template("Add", Sequence((Text("add "), things)), ""),
        Template("Say", ListRef("any", "message"), "", weight=-2.0),
        lists={"any": Wildcard("any")},
    )
    for acceptor in (compiled(context), lazy(context, LETTERS)):
        weights = {"add milk": 0.0, "add mil": -1.0, "add oat milk": -1.0, "ad milk": -2.0, "hi": -2.0}
        for text, weight in weights.items():
            assert weight_of(acceptor, spelled(text, LETTERS)) == pytest.approx(weight), text


def test_ten_million_sentences_are_no_matter_where_they_share_their_states(
    tmp_path: Path, context_of: Callable[..., Context], tokenizer: Tokenizer
) -> None:
    beads = " ".join(f"{{bead:{place}}}" for place in "abcdefg")
    names = "[amber, bronze, coral, denim, ebony, fern, gold, hazel, iris, jade]"
    context = context_of(
        tmp_path / "beads",
        f"""
        language: en
        intents:
          String: {{data: [{{sentences: ["string {beads}"]}}]}}
        lists: {{bead: {{values: {names}}}}}
        """,
    )
    acceptor = compiled(context, tokenizer)
    assert count(context) == 10_000_000
    assert len(acceptor) < 500
    said = "string amber jade bronze iris coral hazel denim"
    assert weight_of(acceptor, spelled(said, tokenizer)) == 0.0


def test_a_grammar_that_grows_beyond_the_limit_is_refused_with_the_rule_that_makes_it_so_large(
    tmp_path: Path, context_of: Callable[..., Context]
) -> None:
    context = context_of(
        tmp_path / "tea",
        """
        language: en
        intents:
          Brew: {data: [{sentences: ["stop", "make tea with <extras>"]}]}
        expansion_rules: {extras: "(milk|sugar|lemon|honey) and {how} more"}
        lists: {how: {values: [some, much, a little]}}
        """,
    )
    with pytest.raises(ContextError) as refused:
        compile_acceptor(network_of(context, LETTERS), max_states=20)
    assert str(refused.value) == (
        f"{tmp_path}/tea/sentences/main.yaml:3: the acceptor of the context's 13 sentences grows beyond 20 states; "
        "12 of them are this template's, by way of rule 'extras' (12) and list 'how' (3); "
        "split or shorten what makes them so many"
    )


def test_sentences_written_one_by_one_are_to_be_put_into_lists(
    tmp_path: Path, context_of: Callable[..., Context]
) -> None:
    written = ", ".join(f"bring the {name} box" for name in ("amber", "jade", "bronze", "iris", "coral", "hazel"))
    context = context_of(
        tmp_path / "boxes", f"language: en\nintents: {{Bring: {{data: [{{sentences: [{written}]}}]}}}}"
    )
    with pytest.raises(ContextError, match="6 templates say few sentences each, 1 at most; make lists"):
        compile_acceptor(network_of(context, LETTERS), max_states=20)


def spelled(text: str, spelling: Spelling) -> tuple[int, ...]:
    """Tokens of a sentence; a mark is glued to its word."""
    tokens: list[int] = []
    for word in text.split():
        letters = word.rstrip(",.?!-")
        tokens += spelling.encode_word(letters)
        for mark in word[len(letters) :]:
            tokens += spelling.encode_word(mark, glued=True)
    return tuple(tokens)


def state_after(tokens: tuple[int, ...], acceptor: Acceptor) -> Arcs:
    """Where an accepted sequence leads."""
    arcs = acceptor.arcs(acceptor.start)
    for token in tokens:
        (at,) = np.flatnonzero(arcs.tokens == token)
        arcs = acceptor.arcs(int(arcs.to[at]))
    return arcs


def alike(one: TokenAcceptor, other: TokenAcceptor, states: tuple[int, int]) -> dict[tuple[int, int], None]:
    """Assert that two states answer alike; the pairs of states that follow."""
    left, right = one.arcs(states[0]), other.arcs(states[1])
    assert left.tokens.tolist() == right.tokens.tolist()
    assert left.weights.tolist() == right.weights.tolist()
    assert left.final == pytest.approx(right.final)
    assert left.terminal == right.terminal
    assert (left.wildcard >= 0) == (right.wildcard >= 0)
    following = [*zip(left.to.tolist(), right.to.tolist(), strict=True)]
    if left.wildcard >= 0:
        following.append((left.wildcard, right.wildcard))
    return dict.fromkeys(following)


def assert_alike(one: LazyAcceptor, other: Acceptor) -> None:
    """All pairs of states that the same tokens reach answer alike."""
    seen = {(one.start, other.start)}
    todo = [*seen]
    while todo:
        for pair in alike(one, other, todo.pop()):
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)


def assert_minimal(acceptor: Acceptor) -> None:
    """Refine the states by what they answer until nothing changes (Moore 1956): every state ends in a class alone."""
    classes = [0] * len(acceptor)
    count = 1
    while True:
        signatures: dict[object, int] = {}
        refined = []
        for state in range(len(acceptor)):
            arcs = acceptor.arcs(state)
            to = tuple(classes[t] for t in [*arcs.to, *([arcs.wildcard] if arcs.wildcard >= 0 else [])])
            signature = arcs.final, arcs.tokens.tobytes(), arcs.weights.tobytes(), to
            refined.append(signatures.setdefault((classes[state], signature), len(signatures)))
        classes = refined
        if len(signatures) == count:
            break
        count = len(signatures)
    assert count == len(acceptor)
