"""The beam: what it finds, what it adds up, and that it can be stopped at any step."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from assistant.grammar.load import load_context
from assistant.grammar.tree import Choice, Context, ListRef, Sequence, SlotList, Template, Text, Wildcard
from assistant.recognize.moonshine.beam import Beam, BeamOptions, SearchResult
from assistant.recognize.moonshine.columns import columns_for, log_sum_exp
from assistant.recognize.moonshine.engine import voiced_stretch
from assistant.recognize.moonshine.grammar import Compiled, compile_grammar
from assistant.recognize.moonshine.model import Encoded, Model, Past
from assistant.recognize.moonshine.tokenizer import END, START
from assistant.types import Utterance
from tests.grammar.written_out import context_with


@pytest.fixture(scope="module")
def compiled(model: Model) -> Compiled:
    return compile_grammar(load_context("barista"), model)


def search(model: Model, compiled: Compiled, sound: Encoded, steps: int = 99, **options: float) -> SearchResult:
    counted = itertools.count()
    beam = Beam(model, compiled.space, BeamOptions(**options))  # type: ignore[arg-type]
    return beam.search(sound, lambda: next(counted) >= steps)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_a_spoken_sentence_is_found_at_every_width(
    width: int, model: Model, compiled: Compiled, order: Encoded
) -> None:
    result = search(model, compiled, order, width=width)
    text = model.tokenizer.decode(result.sentences[0].tokens.tolist())
    assert text.lower().rstrip("?.!") == "can i have a large latte with soy milk"
    assert not result.stopped
    assert result.rows <= width * result.steps


def test_with_every_row_kept_nothing_in_the_language_scores_better(model: Model, order: Encoded) -> None:
    compiled = compile_grammar(small(), model)
    found = search(model, compiled, order, width=500, prune=1e9, late=1e9)
    scores = {tuple(s.tokens.tolist()): s.score for s in found.sentences}
    best_by_hand = max(by_hand(model, compiled, order).items(), key=lambda item: item[1])
    assert best_by_hand[0] in scores
    assert max(scores.values()) == pytest.approx(best_by_hand[1], abs=1.5)
    assert search(model, compiled, order).sentences[0].tokens.tolist() == list(best_by_hand[0])


def small() -> Context:
    """A language of a few dozen sequences around the spoken order."""
    size = Choice((Text("large"), Text("small"), Text("medium")))
    milk = Choice((Text("soy milk"), Text("milk"), Text("cream")))
    return context_with(Template("Order", Sequence((Text("can I have a "), size, Text(" latte with "), milk)), ""))


def by_hand(model: Model, compiled: Compiled, sound: Encoded) -> dict[tuple[int, ...], float]:
    """Score of every sequence of a small language, each decoded alone, token by token."""
    acceptor, table = compiled.acceptor, compiled.table
    columns = columns_for(model, acceptor.tokens)
    scores: dict[tuple[int, ...], float] = {}
    todo: list[tuple[int, tuple[int, ...], float, Past]] = [(acceptor.start, (), 0.0, model.begin())]
    while todo:
        state, tokens, score, past = todo.pop()
        before = np.array([tokens[-1] if tokens else START])
        step = model.step(sound, before, np.zeros(1, np.int64), len(tokens), past)
        logits = columns.extend(step)[0]
        log_p = logits - log_sum_exp(logits)
        if acceptor.final[state] > -np.inf:
            end = float(log_p[columns.end] - 0.4 * table.ends[state] + acceptor.final[state])
            whole = (*tokens, END)
            scores[whole] = score + end
        for at in range(acceptor.offsets[state], acceptor.offsets[state + 1]):
            gain = float(log_p[columns.arcs[at]] - 0.4 * table.arcs[at] + acceptor.weights[at])
            todo.append((int(acceptor.to[at]), (*tokens, int(acceptor.tokens[at])), score + gain, step.past))
    return scores


def test_a_score_is_the_sum_of_its_parts(model: Model, compiled: Compiled, order: Encoded) -> None:
    for lambda_ in (0.0, 0.4):
        for sentence in search(model, compiled, order, lambda_=lambda_).sentences:
            assert sentence.tokens[-1] == END
            assert len(sentence.tokens) == len(sentence.log_p) == len(sentence.ilm) == len(sentence.attention)
            total = sentence.log_p.sum() - lambda_ * sentence.ilm.sum() + sentence.weight
            assert sentence.score == pytest.approx(total, abs=1e-3)
            assert sentence.attention.sum(axis=1) == pytest.approx(1.0, abs=1e-3)


def test_sentences_come_best_first_and_no_sequence_twice(model: Model, compiled: Compiled, order: Encoded) -> None:
    sentences = search(model, compiled, order, width=16, prune=12).sentences
    scores = [sentence.score for sentence in sentences]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(sentence.tokens.tolist()) for sentence in sentences}) == len(sentences) > 3


def test_stopped_after_some_steps_it_returns_what_had_finished(
    model: Model, compiled: Compiled, order: Encoded
) -> None:
    whole = search(model, compiled, order)
    assert search(model, compiled, order, steps=0).sentences == ()
    for steps in range(1, whole.steps):
        part = search(model, compiled, order, steps=steps)
        assert part.stopped
        assert part.steps == steps
        assert all(len(sentence.tokens) <= steps for sentence in part.sentences)
    latte = search(model, compiled, order, steps=8).sentences[0]
    assert model.tokenizer.decode(latte.tokens.tolist()).lower().startswith("can i have a large latte")


def test_pruning_saves_work_and_keeps_the_answer(model: Model, compiled: Compiled, order: Encoded) -> None:
    tight, loose = (search(model, compiled, order, prune=prune) for prune in (5.0, 20.0))
    assert tight.rows < loose.rows
    assert tight.sentences[0].tokens.tolist() == loose.sentences[0].tokens.tolist()


def test_only_what_nothing_can_follow_is_terminal_with_or_without_a_full_stop(
    model: Model, compiled: Compiled, utterance: Callable[[str], Utterance]
) -> None:
    def best(text: str) -> tuple[str, bool]:
        sound = model.encode(voiced_stretch(utterance(text))[0])
        sentence = search(model, compiled, sound).sentences[0]
        return model.tokenizer.decode(sentence.tokens.tolist()).rstrip("?.!"), sentence.terminal

    assert best("Can I have a large latte?") == ("Can I have a large latte", False)
    assert best("Can I have a large latte with soy milk and sugar?")[1]


def hurried(model: Model, compiled: Compiled, sound: Encoded, after: int, width: int = 12) -> SearchResult:
    """A search that is late before step `after`."""
    counted = itertools.count()
    return Beam(model, compiled.space, BeamOptions(width)).search(sound, late=lambda: next(counted) >= after)


@pytest.mark.parametrize("after", range(0, 14, 2))
def test_a_late_search_still_answers_with_a_whole_sentence(
    after: int, model: Model, compiled: Compiled, order: Encoded
) -> None:
    result = hurried(model, compiled, order, after)
    text = model.tokenizer.decode(result.sentences[0].tokens.tolist())
    assert text.lower().rstrip("?.!") == "can i have a large latte with soy milk"
    assert result.stopped
    whole = search(model, compiled, order, width=12)
    assert result.rows < whole.rows


def test_a_search_that_is_never_late_is_not_marked(model: Model, compiled: Compiled, order: Encoded) -> None:
    assert not hurried(model, compiled, order, 99).stopped


def free_words() -> Context:
    """One sentence with anything in it."""
    things: dict[str, SlotList] = {"thing": Wildcard("thing")}
    node = Sequence((Text("add "), ListRef("thing", "item"), Text(" to the shopping list")))
    return context_with(Template("Add", node, ""), lists=things)


@pytest.mark.parametrize("thing", ["dragon fruit", "fishing line", "tennis balls"])
def test_free_words_may_be_any_word_and_not_only_a_frequent_one(
    thing: str, model: Model, utterance: Callable[[str], Utterance]
) -> None:
    tokens = [token for word in thing.split() for token in model.tokenizer.encode_word(word)]
    assert not set(tokens).issubset(model.vocabulary.tolist())
    sound = model.encode(voiced_stretch(utterance(f"add {thing} to the shopping list"))[0])
    best = search(model, compile_grammar(free_words(), model), sound).sentences[0]
    assert model.tokenizer.decode(best.tokens.tolist()).lower().rstrip(".") == f"add {thing} to the shopping list"


def test_a_word_that_the_context_has_and_the_rarer_words_too_counts_once(
    model: Model, utterance: Callable[[str], Utterance]
) -> None:
    dragon = model.tokenizer.encode_word("dragon")[0]
    assert dragon in model.wild.tokens
    known = Template("Feed", Text("dragon food"), "")
    both = context_with(*free_words().templates, known, lists={"thing": Wildcard("thing")})
    sound = model.encode(voiced_stretch(utterance("add dragon fruit to the shopping list"))[0])
    with_it, without = (search(model, compile_grammar(c, model), sound).sentences[0] for c in (both, free_words()))
    assert with_it.tokens.tolist() == without.tokens.tolist()
    assert with_it.log_p == pytest.approx(without.log_p, abs=0.2)
