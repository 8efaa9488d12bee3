"""What the net sees: shapes and masks that never vary, numbers that move with what was heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant.types import Hypothesis, frozen_array
from assistant.understand.fused.features import CLIP, GLOBALS, Features, extract, extract_raw
from assistant.understand.fused.projection import FeatureSpec, Projection, unfitted
from assistant.understand.fused.source import Sound, States
from tests.understand.fused.conftest import Hear, Heard

SPEC = FeatureSpec()
EXAMPLES = 20
RNG = np.random.default_rng(1)
PROJECTION = unfitted(
    SPEC, *(RNG.normal(size=(400, width)).astype(np.float32) for width in (SPEC.audio_dim, SPEC.vector_width))
)


def of(features: Features, name: str, rank: int = 0) -> float:
    """One of GLOBALS."""
    return float(features.globals[rank, GLOBALS.index(name)])


@st.composite
def heard(draw: st.DrawFn) -> tuple[Sound, list[Hypothesis]]:
    """Any sound, any number of hypotheses, any number of tokens."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    states, frames = draw(st.integers(1, 400)), draw(st.integers(1, 500))
    sound = Sound(
        rng.normal(size=(states, SPEC.audio_dim)).astype(np.float32),
        draw(st.floats(0, 3)),
        rng.random(frames).astype(np.float32),
        (-90 * rng.random(frames)).astype(np.float32),
    )
    lengths = draw(st.lists(st.integers(1, 50), min_size=1, max_size=12))
    return sound, [hypothesis(rng, n, states, -float(rank)) for rank, n in enumerate(lengths)]


def hypothesis(rng: np.random.Generator, n: int, states: int, score: float) -> Hypothesis:
    attention = rng.random((n, states)).astype(np.float32) ** 8
    return Hypothesis(
        intent="order",
        slots={},
        text="",
        score=score,
        rerank=score,
        tokens=np.arange(n, dtype=np.int32),
        log_p=(-9 * rng.random(n)).astype(np.float32),
        ilm=(-9 * rng.random(n)).astype(np.float32),
        attention=attention,
        vectors=rng.normal(size=(n, SPEC.vector_width)).astype(np.float32),
    )


@settings(max_examples=EXAMPLES)
@given(heard())
def test_shapes_never_vary_and_nothing_leaves_its_range(case: tuple[Sound, list[Hypothesis]]) -> None:
    sound, hypotheses = case
    found = extract(sound, hypotheses, PROJECTION)
    shown = min(len(hypotheses), SPEC.hypotheses)
    assert found.tokens.shape == (shown, SPEC.tokens, SPEC.token_width)
    assert found.frames.shape == (shown, SPEC.frames, SPEC.frame_width)
    assert found.globals.shape == (shown, SPEC.globals)
    for array in (found.tokens, found.frames, found.globals):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert np.abs(array).max() <= CLIP


@settings(max_examples=EXAMPLES)
@given(heard())
def test_the_last_column_masks_what_is_not_there(case: tuple[Sound, list[Hypothesis]]) -> None:
    sound, hypotheses = case
    found = extract(sound, hypotheses, PROJECTION)
    for row, h in zip(found.tokens, hypotheses, strict=False):
        assert row[:, -1].tolist() == [float(i < len(h.tokens)) for i in range(SPEC.tokens)]
    for array in (found.tokens, found.frames):
        hidden = array[array[..., -1] == 0]
        assert not hidden.any()


@settings(max_examples=EXAMPLES)
@given(heard(), st.integers(0, 11))
def test_a_hypothesis_looks_the_same_whatever_stands_beside_it(case: tuple[Sound, list[Hypothesis]], rank: int) -> None:
    sound, hypotheses = case
    rank %= min(len(hypotheses), SPEC.hypotheses)
    together, alone = extract_raw(sound, hypotheses, PROJECTION), extract_raw(sound, [hypotheses[rank]], PROJECTION)
    np.testing.assert_allclose(together.tokens[rank], alone.tokens[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(together.frames[rank], alone.frames[0], rtol=1e-3, atol=1e-3)


def test_a_long_sentence_keeps_its_first_tokens_and_its_end() -> None:
    rng = np.random.default_rng(2)
    h = hypothesis(rng, SPEC.tokens + 9, 100, 0.0)
    sound = Sound(rng.normal(size=(100, SPEC.audio_dim)).astype(np.float32), 0.0, np.ones(200, np.float32), _quiet(200))
    scalars = extract_raw(sound, [h], PROJECTION).tokens[0, :, -9]
    np.testing.assert_allclose(scalars[:-1], h.log_p[: SPEC.tokens - 1], rtol=1e-6)
    assert scalars[-1] == pytest.approx(h.log_p[-1])


def test_an_order_is_covered_and_what_follows_it_is_not(
    order: Heard, spoken: Callable[[str], NDArray[np.int16]], hear: Hear
) -> None:
    alone = extract_raw(States().sound(*order), order[1].hypotheses, PROJECTION)
    tail = spoken("the train leaves every twenty minutes")[4_000:40_000]
    pcm = np.concatenate([order[0].pcm[: int(order[0].speech_end_s * 16_000)], tail])
    utterance, transcript = hear(pcm)
    talked_into = extract_raw(States().sound(utterance, transcript), transcript.hypotheses, PROJECTION)
    assert of(alone, "gap_after_s") < 0.2
    assert of(talked_into, "longest_uncovered_s") > of(alone, "longest_uncovered_s") + 0.2


def test_an_engine_without_states_or_attention_is_not_looked_at(order: Heard) -> None:
    transcript = order[1]
    assert States().sees(transcript)
    assert not States().sees(replace(transcript, states=None))
    assert not States().sees(replace(transcript, hypotheses=()))
    blind = replace(transcript.hypotheses[0], attention=None)
    assert not States().sees(replace(transcript, hypotheses=(blind, *transcript.hypotheses[1:])))


def test_short_sound_that_was_padded_reads_as_silence() -> None:
    rng = np.random.default_rng(3)
    sound = Sound(rng.normal(size=(20, SPEC.audio_dim)).astype(np.float32), 0.0, np.ones(10, np.float32), _quiet(10))
    voice = extract_raw(sound, [hypothesis(rng, 3, 20, 0.0)], PROJECTION).frames[0, :5, SPEC.state_dim]
    assert voice[0] == 1.0
    assert voice[-1] == 0.0


def _quiet(frames: int) -> NDArray[np.float32]:
    return frozen_array(np.full(frames, -40, np.float32))


def test_normalisation_hides_no_mask() -> None:
    rng = np.random.default_rng(4)
    scaled = _scaled(PROJECTION)
    sound = Sound(rng.normal(size=(60, SPEC.audio_dim)).astype(np.float32), 0.0, np.ones(80, np.float32), _quiet(80))
    found = extract(sound, [hypothesis(rng, 5, 60, 0.0)], scaled)
    assert found.tokens[0, :, -1].sum() == 5
    assert found.frames[0, :, -1].sum() == 15
    assert not found.tokens[0, 5:].any()


def _scaled(projection: Projection) -> Projection:
    return replace(
        projection,
        token_mean=np.full_like(projection.token_mean, 7.0),
        frame_mean=np.full_like(projection.frame_mean, -7.0),
    )
