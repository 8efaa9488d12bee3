"""The model, the coffee grammar and sounds for all tests of this engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.grammar.load import load_context
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.moonshine.engine import Moonshine, MoonshineOptions, voiced_stretch
from assistant.recognize.moonshine.grammar import MoonshineGrammar
from assistant.recognize.moonshine.model import Encoded, Model
from assistant.types import Utterance

ORDER = "Can I have a large latte with soy milk?"


@pytest.fixture(scope="session")
def model(moonshine: Moonshine) -> Model:
    return moonshine.model


@pytest.fixture(scope="session")
def barista(moonshine: Moonshine) -> MoonshineGrammar:
    return moonshine.prepare(load_context("barista"))


@pytest.fixture(scope="session")
def utterance(spoken: Callable[[str], NDArray[np.int16]]) -> Callable[[str], Utterance]:
    """`utterance(text)` is the text, spoken and cut."""
    vad = open_vad("silero")
    return lambda text: cut_clip(spoken(text), vad)


@pytest.fixture(scope="session")
def order(model: Model, utterance: Callable[[str], Utterance]) -> Encoded:
    """A spoken order, encoded."""
    return model.encode(voiced_stretch(utterance(ORDER))[0])


@pytest.fixture
def small(tmp_path: Path) -> Context:
    """A context that compiles in no time, of whose folder the test may do what it likes."""
    folder = tmp_path / "small"
    (folder / "sentences").mkdir(parents=True)
    (folder / "sentences/all.yaml").write_text(
        """
language: en
intents:
  Order: {data: [{sentences: ["can I have a {size} latte [with {milk}]"]}]}
lists:
  size: {values: [small, medium, large]}
  milk: {values: [milk, soy milk, cream]}
"""
    )
    return load_context(folder)


@pytest.fixture
def fresh(moonshine: Moonshine, cache: Path, tmp_path: Path) -> Callable[..., Moonshine]:
    """`fresh(**options)` is an engine with a cache folder of its own that holds the prepared model already."""

    def make(**options: bool) -> Moonshine:
        own = tmp_path / "cache"
        if not own.exists():
            own.mkdir()
            for prepared in cache.glob("moonshine-*"):
                (own / prepared.name).symlink_to(prepared)
        return Moonshine(MoonshineOptions(own, **options))  # type: ignore[arg-type]

    return make
