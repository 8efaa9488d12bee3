"""Smaller nets side by side: what each way does to a net, which layer int8 costs most, and which net nothing beats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.understand.fused.projection import FeatureSpec
from convert import compress, model, quantize, sensitivity, study
from convert.crew import open_crew
from convert.dataset import Rows
from convert.files import Places, write_arrays
from convert.inspect import inspect
from convert.nets import keep_trained
from convert.race import race
from convert.slimming import Slimming, read_entry
from convert.train import LossError, Schedule, Trained, area, train
from convert.workers import missing

SPEC = FeatureSpec()
SHAPE = model.Shape(16, 8, 16, 1)
SHORT = Schedule(epochs=6, batch=8, rate=5e-3, averaged=0.8)
ZEROS = 0.8


@pytest.fixture(scope="module")
def trained(rows: Rows) -> Trained:
    return train(rows, SPEC, SHAPE, SHORT, 7, lambda *_: None)


@pytest.fixture(scope="module")
def course(rows: Rows) -> compress.Course:
    return compress.Course(rows, SPEC, 1, Schedule(epochs=2, batch=8, rate=1e-3, averaged=0.0))


@pytest.fixture(scope="module")
def sparse(trained: Trained, course: compress.Course) -> compress.Slim:
    return compress.magnitude(trained, ZEROS, course, lambda *_: None)


@pytest.fixture(scope="module")
def found(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Callable[[compress.Slim], dict[str, Any]]:
    """What is in the int8 file of a net, and how well it still tells right from wrong."""
    file = tmp_path_factory.mktemp("nets") / "net.tflite"

    def look(slim: compress.Slim) -> dict[str, Any]:
        file.write_bytes(quantize.convert(slim.net, "int8", quantize.calibration_rows(rows, 0, 40)))
        some = rows.chosen(np.arange(80))
        return inspect(file) | {"auc": area(quantize.run(file.read_bytes(), some.inputs)[0], some.right)}

    return look


def test_weights_are_driven_to_zero_and_the_rest_still_knows(
    sparse: compress.Slim, found: Callable[[compress.Slim], dict[str, Any]]
) -> None:
    seen = found(sparse)
    assert seen["zeros"] > 0.9 * ZEROS
    assert seen["auc"] > 0.9


def test_training_for_int8_leaves_nothing_in_float(
    trained: Trained, course: compress.Course, found: Callable[[compress.Slim], dict[str, Any]]
) -> None:
    seen = found(compress.aware(trained, course, lambda *_: None, sparse=False))
    assert seen["fell_back"] == []
    assert seen["auc"] > 0.9


def test_training_for_int8_keeps_zeros_where_it_is_told_to(
    trained: Trained,
    sparse: compress.Slim,
    course: compress.Course,
    found: Callable[[compress.Slim], dict[str, Any]],
) -> None:
    start = replace(trained, weights=sparse.weights)
    seen = found(compress.aware(start, course, lambda *_: None, sparse=True))
    assert seen["zeros"] > 0.9 * ZEROS


def test_taking_channels_out_means_less_work(trained: Trained, course: compress.Course) -> None:
    half = compress.structured(trained, 0.5, course, lambda *_: None)
    whole = quantize.exported(trained, SPEC)
    assert model.operations(half.net) < 0.75 * model.operations(whole)


@pytest.mark.parametrize("jobs", [1, 2])
def test_ways_are_tasks_that_make_the_same_net_whoever_does_them(
    rows: Rows, trained: Trained, course: compress.Course, tmp_path: Path, jobs: int
) -> None:
    """By this process, or by two others; and what is made already is not made again."""
    write_arrays(tmp_path / "rows.npz", {name: getattr(rows, name) for name in Rows.__dataclass_fields__})
    keep_trained(trained, tmp_path / "full.npz")
    places = Places(tmp_path, tmp_path, tmp_path, tmp_path)
    settings = (SPEC, course.tuning, course.seed)
    tasks = [
        Slimming(("rows.npz",), "full.npz", SHAPE, "", "made", "channels", share, *settings) for share in (0.5, 0.65)
    ]
    with open_crew(places, jobs, "") as crew:
        crew.run(missing(tasks, places), lambda _: None)
        assert missing(tasks, places) == []
    for task in tasks:
        [entry] = (read_entry(entry, tmp_path / name) for entry, name in zip(task.entries, task.makes, strict=True))
        plain = compress.structured(trained, task.share, course, lambda *_: None)
        assert all(np.array_equal(a, b) for a, b in zip(entry.weights, plain.weights, strict=True))
        assert entry.file == quantize.convert(plain.net, "int8", quantize.calibration_rows(rows, course.seed))
        assert entry.operations < model.operations(quantize.exported(trained, SPEC))


def test_a_loss_that_is_no_number_is_said_with_its_batch(trained: Trained, course: compress.Course) -> None:
    spoilt = replace(course.rows, globals=np.full_like(course.rows.globals, np.nan))
    with pytest.raises(LossError, match="epoch 1, batch 1"):
        compress.trained_on(trained, replace(course, rows=spoilt), lambda *_: None)


def test_every_layer_is_tried_alone_in_int8_and_alone_in_float(rows: Rows, trained: Trained, tmp_path: Path) -> None:
    whole, splits = sensitivity.splits(quantize.exported(trained, SPEC), quantize.calibration_rows(rows, 0, 20))
    assert {"token_sound", "token_joint", "frame_far", "joint"} <= {split.layer for split in splits}
    file = tmp_path / "net.tflite"
    for split in splits[:2]:
        file.write_bytes(split.spared)
        assert inspect(file)["fell_back"]
        assert len(whole) < len(split.spared) < len(split.alone)


def test_a_layer_stays_float_when_that_mends_more_than_it_costs() -> None:
    int8, spared = [True] * 80 + [False] * 20, [True] * 90 + [False] * 10
    verdict = sensitivity.judge("joint", {"int8": int8, "spared": spared}, (0.2, 0.05))
    assert (verdict.mended, verdict.broken, verdict.buys, verdict.costs) == (10, 0, 0.5, 0.2)
    assert verdict.stays_float
    assert "joint stays float: in float it mends 10 decisions and breaks 0" in verdict.reason


@pytest.mark.parametrize(
    ("mended", "grown"),
    [(10, 0.6), (3, 0.01)],
    ids=["it costs more than it mends", "so few are mended by chance"],
)
def test_a_layer_becomes_int8_otherwise(mended: int, grown: float) -> None:
    int8, spared = [True] * 80 + [False] * 20, [True] * (80 + mended) + [False] * (20 - mended)
    assert not sensitivity.judge("joint", {"int8": int8, "spared": spared}, (grown,)).stays_float


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_sign_test_is_a_probability_that_falls_as_more_are_mended(more: int, less: int) -> None:
    assert 0 < sensitivity.sign_test(more + 1, less) <= sensitivity.sign_test(more, less) <= 1


def test_five_of_five_is_one_in_thirty_two_by_chance() -> None:
    assert sensitivity.sign_test(5, 0) == pytest.approx(1 / 32)


def test_the_front_holds_what_nothing_beats() -> None:
    rows = {
        "small": {"compressed": 10, "ms": 1.0, "strict_both": 90},
        "good": {"compressed": 20, "ms": 2.0, "strict_both": 99},
        "beaten": {"compressed": 20, "ms": 2.0, "strict_both": 98},
    }
    assert study.front(rows) == ["small", "good"]


def test_all_nets_race_in_one_run(rows: Rows, trained: Trained) -> None:
    net = quantize.exported(trained, SPEC)
    files = {p: quantize.convert(net, p, rows.chosen(np.arange(20))) for p in ("float32", "int8")}
    times = race(files, rows.inputs)
    assert times.keys() == files.keys()
    assert all(t["spread"][0] <= t["median"] <= t["spread"][1] for t in times.values())
