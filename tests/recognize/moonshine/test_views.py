"""A second look: the same meanings, scored on slower and faster sound, where the first sight leaves a doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from assistant.recognize.moonshine.engine import Moonshine, voiced_stretch
from assistant.recognize.moonshine.grammar import MoonshineGrammar
from assistant.recognize.moonshine.model import Encoded
from assistant.recognize.moonshine.views import doubtful, look_again, scores
from assistant.types import Effort, Hypothesis, Utterance, frozen_array
from tests.recognize.moonshine.conftest import ORDER

Speech = Callable[[str], Utterance]
ONCE, AGAIN = Effort(8, 8.0), Effort(8, 8.0, again=True)


def in_noise(utterance: Utterance, level: float, seed: int) -> Utterance:
    """`utterance` in white noise of so much of full scale."""
    noise = np.random.default_rng(seed).normal(0, level * 32768, len(utterance.pcm))
    pcm = np.clip(utterance.pcm + noise, -32768, 32767).astype(np.int16)
    return replace(utterance, pcm=frozen_array(pcm))


@pytest.fixture(scope="module")
def hard(utterance: Speech) -> Utterance:
    """An order in so much noise that two meanings are near each other."""
    return in_noise(utterance("a small mocha with two shots"), 0.06, seed=1)


@pytest.fixture(scope="module")
def found(moonshine: Moonshine, barista: MoonshineGrammar, hard: Utterance) -> tuple[Hypothesis, ...]:
    return moonshine.open_with(barista, ONCE, lambda: False).finish(hard).hypotheses


def test_what_is_given_token_by_token_scores_as_in_the_search(
    moonshine: Moonshine, found: tuple[Hypothesis, ...], hard: Utterance
) -> None:
    sound: Encoded = moonshine.model.encode(voiced_stretch(hard)[0])
    again = scores(moonshine.model, sound, [h.tokens for h in found])
    searched = np.array([h.log_p.sum() for h in found])
    # Rows of a batch share the range of their int8 activations, and the batches differ.
    assert np.abs(again - searched).max() < 1.0
    assert searched.max() - searched.min() > 5.0


def test_a_second_look_orders_the_same_meanings(
    moonshine: Moonshine, found: tuple[Hypothesis, ...], hard: Utterance
) -> None:
    assert doubtful(found)
    pcm = voiced_stretch(hard)[0]
    looked = look_again(moonshine.model, pcm, moonshine.model.encode(pcm), found, lambda: False)
    assert {h.text for h in looked} == {h.text for h in found}
    assert [h.rerank for h in looked] == sorted((h.rerank for h in looked), reverse=True)
    assert [h.rerank for h in looked] != [h.rerank for h in found]
    assert {h.text: h.score for h in looked} == {h.text: h.score for h in found}


def test_without_time_or_with_free_words_nothing_changes(
    moonshine: Moonshine, found: tuple[Hypothesis, ...], hard: Utterance
) -> None:
    pcm = voiced_stretch(hard)[0]
    sound = moonshine.model.encode(pcm)
    assert look_again(moonshine.model, pcm, sound, found, lambda: True) == found
    spelt = (replace(found[0], spelt=(1,)), *found[1:])
    assert look_again(moonshine.model, pcm, sound, spelt, lambda: False) == spelt


def test_only_doubtful_sound_is_looked_at_again_where_context_and_effort_allow_it(
    moonshine: Moonshine, barista: MoonshineGrammar, utterance: Speech, hard: Utterance
) -> None:
    context = barista.context
    wanting = moonshine.prepare(replace(context, settings=replace(context.settings, look_again=True)))

    def looked(spoken: Utterance, effort: Effort, grammar: MoonshineGrammar = wanting) -> bool:
        return "again" in moonshine.open_with(grammar, effort, lambda: False).finish(spoken).timings_ms

    assert looked(hard, AGAIN)
    assert not looked(hard, ONCE)
    assert not looked(hard, AGAIN, barista)
    clear = moonshine.open_with(barista, ONCE, lambda: False).finish(utterance(ORDER)).hypotheses
    assert not doubtful(clear)
    assert not looked(utterance(ORDER), AGAIN)
