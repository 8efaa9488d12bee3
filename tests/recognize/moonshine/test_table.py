"""The table is what the decoder expects on silence, one prefix a state; a lazy grammar decodes it beside the beam."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.grammar.acceptor import LazyAcceptor
from assistant.grammar.load import load_context
from assistant.grammar.network import build_network
from assistant.grammar.tokens import TokenNetwork
from assistant.recognize.moonshine.beam import Beam, BeamOptions, Sentence
from assistant.recognize.moonshine.columns import Columns, columns_for, log_sum_exp
from assistant.recognize.moonshine.engine import Moonshine, voiced_stretch
from assistant.recognize.moonshine.grammar import Compiled, MoonshineGrammar, compile_grammar
from assistant.recognize.moonshine.model import Encoded, Model, prepare_model
from assistant.recognize.moonshine.space import CompiledSpace, LazySpace
from assistant.recognize.moonshine.table import BATCH, build_table, encode_silence
from assistant.recognize.moonshine.tokenizer import START
from assistant.types import Utterance


@pytest.fixture(scope="module")
def compiled(model: Model) -> Compiled:
    return compile_grammar(load_context("barista"), model)


def spanning_tree(compiled: Compiled) -> dict[int, tuple[int, ...]]:
    """State → the prefix that stands for it: children of a batch form the next batches, the last made goes first."""
    acceptor = compiled.acceptor
    prefixes: dict[int, tuple[int, ...]] = {acceptor.start: ()}
    todo = [[acceptor.start]]
    while todo:
        new = []
        for state in todo.pop():
            arcs = acceptor.arcs(state)
            for token, to in zip(arcs.tokens.tolist(), arcs.to.tolist(), strict=True):
                if to not in prefixes:
                    prefixes[to] = (*prefixes[state], token)
                    new.append(to)
        todo += [new[at : at + BATCH] for at in range(0, len(new), BATCH)]
    return prefixes


def directly(model: Model, silence: Encoded, prefix: tuple[int, ...], columns: Columns) -> NDArray[np.float32]:
    """Log-probabilities of what follows `prefix` on silence, decoded token by token without a batch."""
    past = model.begin()
    for at, token in enumerate((START, *prefix)):
        step = model.step(silence, np.array([token]), np.zeros(1, np.int64), at, past)
        past = step.past
    logits = columns.extend(step)[0]
    result: NDArray[np.float32] = logits - log_sum_exp(logits)
    return result


def test_an_entry_is_what_the_decoder_expects_after_its_states_prefix(cache: Path) -> None:
    exact = Model(prepare_model(cache, "float"))  # no rounding that depends on batch mates
    compiled = compile_grammar(load_context("barista"), exact)
    acceptor, table = compiled.acceptor, compiled.table
    columns, silence = columns_for(exact, acceptor.tokens), encode_silence(exact)
    prefixes = spanning_tree(compiled)
    assert len(prefixes) == len(acceptor)
    for state in range(0, len(acceptor), 5):
        expected = directly(exact, silence, prefixes[state], columns)
        arcs = slice(acceptor.offsets[state], acceptor.offsets[state + 1])
        assert table.arcs[arcs] == pytest.approx(expected[columns.arcs[arcs]], abs=0.01)
        assert table.ends[state] == pytest.approx(expected[columns.end], abs=0.01)


def test_every_state_is_filled_and_no_state_expects_more_than_certainty(compiled: Compiled) -> None:
    for values in (compiled.table.arcs, compiled.table.ends):
        assert np.isfinite(values).all()
        assert (values < 0).all()
    for state in range(len(compiled.acceptor)):
        arcs = slice(compiled.acceptor.offsets[state], compiled.acceptor.offsets[state + 1])
        assert np.exp(compiled.table.arcs[arcs]).sum() + np.exp(compiled.table.ends[state]) <= 1.0 + 1e-3


def test_progress_is_told_until_every_state_is_done(model: Model, compiled: Compiled) -> None:
    told: list[tuple[int, int]] = []
    columns = columns_for(model, compiled.acceptor.tokens)
    build_table(compiled.acceptor, columns, model, lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(compiled.acceptor), len(compiled.acceptor))


def test_rare_tokens_have_entries_of_their_own(model: Model) -> None:
    rare = np.flatnonzero(model.column < 0)[:3].astype(np.int32)
    known = np.array([300, 1000], np.int32)
    columns = columns_for(model, np.concatenate([known, rare, known]))
    assert columns.arcs[:2].tolist() == columns.arcs[-2:].tolist() == model.column[known].tolist()
    assert columns.tokens[columns.arcs].tolist() == [*known, *rare, *known]
    step = model.step(encode_silence(model), np.array([START]), np.zeros(1, np.int64), 0, model.begin())
    assert columns.extend(step).shape == (1, len(model.vocabulary) + 3)
    assert columns_for(model, known).extend(step) is step.logits


def lazy_space(moonshine: Moonshine, name: str) -> LazySpace:
    network = TokenNetwork(build_network(load_context(name)), moonshine.model.tokenizer)
    return LazySpace(LazyAcceptor(network), moonshine.model, moonshine.silence())


@pytest.mark.parametrize(
    "text",
    [
        "Can I have a large latte with soy milk?",
        "Give me an iced coffee with cream and brown sugar",
        "I want a twelve ounce dark roast espresso",
    ],
)
def test_a_lazy_and_a_compiled_grammar_hear_the_same(
    text: str,
    moonshine: Moonshine,
    barista: MoonshineGrammar,
    compiled: Compiled,
    utterance: Callable[[str], Utterance],
) -> None:
    sound = moonshine.model.encode(voiced_stretch(utterance(text))[0])

    def best(space: LazySpace | CompiledSpace) -> Sentence:
        return Beam(moonshine.model, space, BeamOptions()).search(sound).sentences[0]

    grown, whole = best(lazy_space(moonshine, "barista")), best(compiled.space)
    sequences = [tuple(sentence.tokens[:-1].tolist()) for sentence in (grown, whole)]
    one, other = barista.meanings(sequences)
    assert one[0].key == other[0].key


def test_a_wildcards_words_are_heard_lazily_and_compiled(
    moonshine: Moonshine, utterance: Callable[[str], Utterance]
) -> None:
    home = moonshine.prepare(load_context("home"))
    sound = moonshine.model.encode(voiced_stretch(utterance("Add oat milk to my shopping list"))[0])
    for space in (lazy_space(moonshine, "home"), home.space(moonshine.silence)):
        best = Beam(moonshine.model, space, BeamOptions()).search(sound).sentences[0]
        ((meaning, *_),) = home.meanings([tuple(best.tokens[:-1].tolist())])
        assert "oat milk" in {str(value).lower() for value in meaning.slots.values()}
