"""A context is compiled once, kept on disk, and usable from its first second."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import ContextError
from assistant.grammar.tree import Context, NumberList
from assistant.recognize.moonshine.engine import Moonshine
from assistant.recognize.moonshine.grammar import MoonshineGrammar, cache_file, load_grammar, save_grammar
from assistant.types import Utterance

Fresh = Callable[..., Moonshine]
PATIENCE_S = 60.0


def kept(engine: Moonshine) -> list[Path]:
    """Compiled contexts in the engine's cache, and whatever else lies there."""
    return sorted((engine.options.cache / "contexts").glob("*"))


def arrays(grammar: MoonshineGrammar) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    assert grammar._compiled is not None
    table, whole = grammar._compiled.table, grammar.acceptor
    assert whole is not None
    return [table.arcs, table.ends, table.free, whole.weights, whole.final]


def test_the_second_time_a_context_comes_from_disk_and_is_the_same(fresh: Fresh, small: Context) -> None:
    told: list[tuple[int, int]] = []
    first = fresh().prepare(small, lambda done, total: told.append((done, total)))
    assert told
    told.clear()
    second = fresh().prepare(small, lambda done, total: told.append((done, total)))
    assert not told
    assert second.ready.is_set()
    for one, other in zip(arrays(first), arrays(second), strict=True):
        assert (one == other).all()


def test_only_what_the_acceptor_depends_on_makes_a_new_file(fresh: Fresh, small: Context) -> None:
    engine = fresh()
    engine.prepare(small)
    engine.prepare(replace(small, responses={"Order": {"default": "Coming."}}))
    assert len(kept(engine)) == 1
    engine.prepare(replace(small, hash="another"))
    assert len(kept(engine)) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"text"])
def test_a_damaged_file_is_told_and_compiled_again(
    damage: bytes, fresh: Fresh, small: Context, caplog: pytest.LogCaptureFixture
) -> None:
    engine = fresh()
    engine.prepare(small)
    (file,) = kept(engine)
    whole = file.read_bytes()
    file.write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        assert engine.prepare(small).acceptor is not None
    assert f"{file.name} is damaged" in caplog.text
    assert load_grammar(file, engine.model) is not None
    assert abs(file.stat().st_size - len(whole)) < 100


def test_a_file_cut_in_half_is_told_and_compiled_again(
    fresh: Fresh, small: Context, caplog: pytest.LogCaptureFixture
) -> None:
    engine = fresh()
    engine.prepare(small)
    (file,) = kept(engine)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert engine.prepare(small).ready.is_set()
    assert "is damaged" in caplog.text


def test_where_nothing_can_be_written_it_works_without_a_cache(
    fresh: Fresh, small: Context, caplog: pytest.LogCaptureFixture
) -> None:
    engine = fresh()
    (engine.options.cache / "contexts").write_text("a file where the folder should be")  # root may write anywhere
    grammar = engine.prepare(small)
    assert grammar.acceptor is not None
    assert "cannot be kept" in caplog.text


def test_nothing_half_written_stays_behind(fresh: Fresh, small: Context, tmp_path: Path) -> None:
    grammar = fresh().prepare(small)
    target = tmp_path / "kept" / "occupied.npz"
    target.mkdir(parents=True)  # a rename onto a folder fails
    assert grammar._compiled is not None
    save_grammar(grammar._compiled, target)
    assert [path.name for path in target.parent.iterdir()] == ["occupied.npz"]


def test_in_the_background_it_is_usable_at_once_and_swapped_in_when_compiled(
    fresh: Fresh, small: Context, utterance: Callable[[str], Utterance]
) -> None:
    engine = fresh(background=True)
    sound = utterance("Can I have a large latte with soy milk?")
    waiting = MoonshineGrammar(small, engine.model)
    before = engine.open(waiting).finish(sound).hypotheses[0]
    assert not waiting.ready.is_set()
    waiting.compile_in_background(None)
    assert waiting.ready.wait(PATIENCE_S)
    assert waiting.acceptor is not None
    after = engine.open(waiting).finish(sound).hypotheses[0]
    assert (before.intent, before.slots) == (after.intent, after.slots)
    assert after.slots == {"size": "large", "milk": "soy milk"}


def test_the_background_writes_the_same_cache(fresh: Fresh, small: Context) -> None:
    engine = fresh(background=True)
    grammar = engine.prepare(small)
    assert grammar.ready.wait(PATIENCE_S)
    assert kept(engine) == [cache_file(small, engine.model, engine.options.cache / "contexts")]


def test_a_context_that_is_too_large_fails_with_a_reason_in_the_background_too(fresh: Fresh, small: Context) -> None:
    dictionary = NumberList("size", 0, 5_000_000)
    huge = replace(small, lists={**small.lists, "size": dictionary}, hash="huge")
    engine = fresh()
    with pytest.raises(ContextError, match="list 'size' holds 5,000,001 numbers"):
        engine.prepare(huge)
    grammar = MoonshineGrammar(huge, engine.model)
    grammar.compile_in_background(None).join(PATIENCE_S)
    assert isinstance(grammar.failure, ContextError)
    assert not grammar.ready.is_set()
    assert kept(engine) == []
