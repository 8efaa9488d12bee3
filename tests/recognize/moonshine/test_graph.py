"""The rebuilt graphs compute what the published files compute, run side by side on the same sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from assistant.recognize.moonshine.columns import log_sum_exp
from assistant.recognize.moonshine.engine import voiced_stretch
from assistant.recognize.moonshine.graph import ROTARY_DIM, rotary_tables
from assistant.recognize.moonshine.model import (
    HEAD_DIM,
    HEADS,
    LAYERS,
    Encoded,
    Model,
    base_vocabulary,
    prepare_model,
    published_folder,
)
from assistant.recognize.moonshine.tokenizer import END, START
from assistant.types import Utterance
from tests.recognize.moonshine.conftest import ORDER

CUTS = range(0, 9000, 1500)
"""Samples cut from the front. Activations are quantized by the loudest of them, so a change of one part in 100,000 can
move every state of the published model by a tenth of its spread: the graphs agree exactly on most cuts, not on all."""
JITTER_RMS = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One cut: its sound, its states by the published encoder and by ours, [frames, 288]."""

    sound: NDArray[np.float32]
    published: NDArray[np.float32]
    mine: Encoded

    @property
    def difference(self) -> NDArray[np.float32]:
        return self.mine.states - self.published


def published(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(published_folder() / name), options, ["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def cuts(model: Model, utterance: Callable[[str], Utterance]) -> list[Heard]:
    encoder = published("encoder_model.ort")
    whole = voiced_stretch(utterance(ORDER))[0]
    heard = []
    for cut in CUTS:
        sound = whole[cut:]
        feed = {"input_values": sound[None, :], "attention_mask": np.ones((1, len(sound)), np.int64)}
        heard.append(Heard(sound, encoder.run(None, feed)[0][0], model.encode(sound)))
    return heard


@pytest.fixture(scope="module")
def same(cuts: list[Heard]) -> Heard:
    """The cut on which the encoders agree best: what follows compares decoders alone."""
    return min(cuts, key=lambda cut: float(np.abs(cut.difference).max()))


@pytest.fixture(scope="module")
def spelled(model: Model) -> list[int]:
    """The order as the recogniser writes it."""
    words = ["Can", "I", "have", "a", "large", "latte", "with", "soy", "milk"]
    return [token for word in words for token in model.tokenizer.encode_word(word)] + [END]


@pytest.fixture(scope="module")
def published_log_p(same: Heard, spelled: list[int]) -> NDArray[np.float32]:
    """Log-probabilities over the base vocabulary at each step, from the published merged decoder with its cache."""
    decoder = published("decoder_model_merged.ort")
    names = {node.name for node in decoder.get_inputs()}
    past = {
        f"past_key_values.{layer}.{side}.{kind}": np.zeros((1, HEADS, 0, HEAD_DIM), np.float32)
        for layer in range(LAYERS)
        for side in ("decoder", "encoder")
        for kind in ("key", "value")
    }
    rows = []
    outputs = [node.name for node in decoder.get_outputs()]
    for step, token in enumerate([START, *spelled[:-1]]):
        feed = {
            "input_ids": np.array([[token]], np.int64),
            "encoder_hidden_states": same.published[None],
            "use_cache_branch": np.array([step > 0]),
            "encoder_attention_mask": np.ones((1, len(same.published) * 384), np.int64),
            **past,
        }
        found = dict(zip(outputs, decoder.run(None, {k: v for k, v in feed.items() if k in names}), strict=True))
        for name in past:
            present = found[name.replace("past_key_values", "present")]
            if step == 0 or ".decoder." in name:  # with the cache branch the encoder's keys come out empty
                past[name] = present
        logits = found["logits"][0, -1][base_vocabulary()]
        rows.append(logits - log_sum_exp(logits))
    return np.array(rows)


def forced(model: Model, sound: Encoded, tokens: list[int]) -> NDArray[np.float32]:
    """Log-probabilities over the base vocabulary at each step when `tokens` are fed."""
    past, rows = model.begin(), []
    for at, token in enumerate([START, *tokens[:-1]]):
        step = model.step(sound, np.array([token]), np.zeros(1, np.int64), at, past)
        past = step.past
        rows.append(step.logits[0] - log_sum_exp(step.logits[0]))
    return np.array(rows)


def test_encoder_states_are_those_of_the_published_encoder(cuts: list[Heard]) -> None:
    assert all(cut.mine.states.shape == cut.published.shape for cut in cuts)
    assert min(np.abs(cut.difference).max() for cut in cuts) < 1e-4
    assert max(np.sqrt((cut.difference**2).mean()) for cut in cuts) < JITTER_RMS


def test_each_step_gives_the_log_probabilities_of_the_published_decoder(
    model: Model, same: Heard, spelled: list[int], published_log_p: NDArray[np.float32]
) -> None:
    mine = forced(model, same.mine, spelled)
    likely = published_log_p > -12

    assert likely.sum() > 100
    assert np.abs(mine - published_log_p)[likely].max() < 0.02
    assert (mine.argmax(axis=1) == published_log_p.argmax(axis=1)).all()


@pytest.mark.parametrize("precision", ["block", "float"])
def test_finer_precisions_stay_near_the_published_model(
    precision: str, cache: Path, same: Heard, spelled: list[int], published_log_p: NDArray[np.float32]
) -> None:
    finer = Model(prepare_model(cache, precision))
    encoded = finer.encode(same.sound)
    assert np.sqrt(((encoded.states - same.published) ** 2).mean()) < JITTER_RMS
    mine = forced(finer, encoded, spelled)
    at, columns = np.arange(len(spelled)), finer.column[spelled]
    assert np.abs(mine[at, columns] - published_log_p[at, columns]).mean() < 0.2


def test_with_blocks_a_row_does_not_depend_on_its_batch_mates(model: Model, cache: Path, order: Encoded) -> None:
    def first_row(of: Model, *mates: int) -> NDArray[np.float32]:
        tokens = np.array([START, *mates])
        step = of.step(order, tokens, np.zeros(len(tokens), np.int64), 0, of.begin())
        row: NDArray[np.float32] = step.logits[0]
        return row

    finer = Model(prepare_model(cache, "block"))
    assert first_row(finer, 300, 5000).tolist() == first_row(finer, 7000, 12).tolist()
    assert first_row(model, 300, 5000).tolist() != first_row(model, 7000, 12).tolist()  # as published


def test_rows_continue_the_past_of_their_parents(model: Model, order: Encoded, spelled: list[int]) -> None:
    first = model.step(order, np.array([START]), np.zeros(1, np.int64), 0, model.begin())
    both = model.step(order, np.array([spelled[0], 300]), np.zeros(2, np.int64), 1, first.past)
    swapped = model.step(order, np.array([spelled[1]] * 2), np.array([1, 0]), 2, both.past)
    straight = model.step(order, np.array([spelled[1]] * 2), np.array([0, 1]), 2, both.past)
    assert np.allclose(swapped.logits, straight.logits[::-1], atol=0.01)
    assert np.abs(swapped.logits[0] - swapped.logits[1]).max() > 0.5  # another history, another expectation


def test_attention_is_a_distribution_over_the_sound(model: Model, order: Encoded) -> None:
    step = model.step(order, np.array([START, 300]), np.zeros(2, np.int64), 0, model.begin())
    assert step.attention.shape == (2, len(order.states))
    assert step.attention.sum(axis=1) == pytest.approx([1, 1], abs=1e-4)
    assert (step.attention >= 0).all()


def test_rare_tokens_outside_the_output_layer_are_scored_from_the_hidden_state(model: Model, order: Encoded) -> None:
    step = model.step(order, np.array([START]), np.zeros(1, np.int64), 0, model.begin())
    known = np.array([300, 1000, 5000], np.int32)
    exact = step.logits[0, model.column[known]]
    assert (step.hidden @ model.columns_of(known))[0] == pytest.approx(exact, abs=0.25)  # the layer itself is int8


def test_rotary_angles_turn_slower_with_each_pair() -> None:
    cos, sin = rotary_tables()
    assert cos.shape[1] == ROTARY_DIM // 2
    assert np.allclose(cos**2 + sin**2, 1, atol=1e-6)
    assert (np.diff(np.arctan2(sin[1], cos[1])) < 0).all()
    assert cos[0] == pytest.approx(1.0)
