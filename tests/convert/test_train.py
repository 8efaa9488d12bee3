"""Training, narrowing, and the file that comes out, on hypotheses that can be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import InputError, ModelError
from assistant.understand.fused.projection import FeatureSpec, Projection, shapes
from convert import model, prune, quantize
from convert.dataset import Rows
from convert.inspect import inspect, table
from convert.nets import digest, keep_trained
from convert.train import LossError, Schedule, Trained, area, batch_of, logits, read_trained, train

SPEC = FeatureSpec()
SHAPE = model.Shape(16, 8, 16, 1)
SHORT = Schedule(epochs=10, batch=8, rate=5e-3, averaged=0.8, patience=9)


def quiet(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
    assert epoch <= epochs
    assert "valid_loss" in figures


@pytest.fixture(scope="module")
def trained(rows: Rows) -> Trained:
    return train(rows, SPEC, SHAPE, SHORT, 7, quiet)


@pytest.fixture(scope="module")
def int8(rows: Rows, trained: Trained) -> bytes:
    return quantize.convert(quantize.exported(trained, SPEC), "int8", quantize.calibration_rows(rows, 0, 60))


def test_what_can_be_told_apart_is_learnt(trained: Trained) -> None:
    assert trained.history[trained.best]["right_auc"] > 0.95
    assert trained.history[trained.best]["whole_auc"] > 0.95


def test_the_same_seed_gives_the_same_weights(rows: Rows, trained: Trained) -> None:
    again = train(rows, SPEC, SHAPE, SHORT, 7, quiet)
    assert all(np.array_equal(a, b) for a, b in zip(trained.weights, again.weights, strict=True))


def test_a_loss_that_is_no_number_stops_with_its_batch_and_the_last_good_weights(rows: Rows) -> None:
    with pytest.raises(LossError, match=r"epoch \d+, batch \d+") as stopped:
        train(rows, SPEC, SHAPE, replace(SHORT, rate=1e30), 7, quiet)
    assert isinstance(stopped.value.weights, list)


def test_a_broken_input_is_noticed_in_the_batch_that_has_it(rows: Rows) -> None:
    spoilt = replace(rows, globals=np.where(np.arange(len(rows))[:, None] == 3, np.nan, rows.globals))
    with pytest.raises(LossError, match="not a number"):
        train(spoilt, SPEC, SHAPE, SHORT, 7, quiet)


def test_too_little_to_train_on_is_said(rows: Rows) -> None:
    with pytest.raises(InputError, match="to train on"):
        train(rows.chosen(np.arange(10)), SPEC, SHAPE, SHORT, 7, quiet)


def test_a_batch_knows_which_hypotheses_compete(rows: Rows) -> None:
    batch = batch_of(rows, np.array([[0, 1], [2, -1]]))
    assert len(batch["tokens"]) == 3
    assert batch["place"].tolist() == [[0, 1], [2, 0]]
    assert batch["offered"].max(axis=1).tolist() == [0.0, 0.0]
    assert batch["offered"][1, 1] < -1000
    assert batch["ordered"].tolist() == [float(rows.right[:2].any()), 0.0]


def test_a_trained_net_is_kept_whole(trained: Trained, tmp_path: Path) -> None:
    keep_trained(trained, tmp_path / "net.npz")
    again = read_trained(tmp_path / "net.npz", SHAPE)
    assert all(np.array_equal(a, b) for a, b in zip(trained.weights, again.weights, strict=True))
    assert again.history == trained.history


@pytest.mark.parametrize("name", ["right", "whole_weight", "wrong", "score", "valid", "utterance"])
def test_a_net_is_kept_under_all_that_it_was_trained_on(rows: Rows, name: str) -> None:
    projection = Projection(SPEC, **{n: np.ones(s, np.float32) for n, s in shapes(SPEC).items()})
    other = np.array(getattr(rows, name))
    other[5] = 1 - other[5] if other.dtype != bool else not other[5]
    changed = replace(rows, **{name: other})
    one, two = (digest(r, projection.to_bytes(), None) for r in (rows, changed))
    assert one != two
    assert one == digest(rows, projection.to_bytes(), None)


def test_nothing_is_lost_where_no_channel_is_taken_out(rows: Rows, trained: Trained) -> None:
    one, other = (model.build(SPEC, SHAPE) for _ in range(2))
    one.set_weights(trained.weights)
    other.set_weights(prune.narrowed(trained, SPEC, SHAPE))
    assert np.allclose(logits(one, rows.inputs), logits(other, rows.inputs), atol=1e-5)


def test_a_narrower_net_does_less_work_and_still_knows_something(rows: Rows, trained: Trained) -> None:
    half = SHAPE.narrower(0.5)
    small, large = model.build(SPEC, half), model.build(SPEC, SHAPE)
    small.set_weights(prune.narrowed(trained, SPEC, half))
    assert model.operations(small) < 0.75 * model.operations(large)
    assert area(logits(small, rows.inputs)[0], rows.right) > 0.6


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_every_precision_says_what_the_float_net_says(rows: Rows, trained: Trained, precision: str) -> None:
    net = model.build(SPEC, SHAPE)
    net.set_weights(trained.weights)
    some = rows.chosen(np.arange(80))
    file = quantize.convert(quantize.exported(trained, SPEC), precision, some)
    assert np.corrcoef(quantize.run(file, some.inputs)[0], logits(net, some.inputs)[0])[0, 1] > 0.999


def test_int8_is_small_and_says_the_same(rows: Rows, trained: Trained, int8: bytes) -> None:
    net = model.build(SPEC, SHAPE)
    net.set_weights(trained.weights)
    right, whole = quantize.run(int8, rows.inputs)
    assert np.corrcoef(right, logits(net, rows.inputs)[0])[0, 1] > 0.98
    assert np.corrcoef(whole, logits(net, rows.inputs)[1])[0, 1] > 0.98


def test_int8_is_the_same_file_every_time(rows: Rows, trained: Trained, int8: bytes) -> None:
    again = quantize.convert(quantize.exported(trained, SPEC), "int8", quantize.calibration_rows(rows, 0, 60))
    assert again == int8


def test_nothing_in_an_int8_file_falls_back_to_float(int8: bytes, tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(int8)
    found = inspect(file)
    assert found["fell_back"] == []
    assert found["operations"]["CONV_2D"] >= 6
    assert "in float: nothing" in table(found)


@pytest.mark.parametrize(("data", "word"), [(b"no model at all", "not a TFLite"), (b"", "not a TFLite")])
def test_a_file_that_is_no_net_is_named(tmp_path: Path, data: bytes, word: str) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(data)
    with pytest.raises(ModelError, match=word):
        inspect(file)


def test_a_truncated_net_is_damaged(int8: bytes, tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(int8[: len(int8) // 3])
    with pytest.raises(ModelError, match="damaged"):
        inspect(file)


def test_a_missing_net_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        inspect(tmp_path / "none.tflite")
