"""Folds over voices and noises, and the figures of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import InputError
from assistant.understand.fused.projection import FeatureSpec
from convert import classes, crossval
from convert.dataset import Rows
from convert.model import Shape
from convert.recognise import keep
from convert.synthesize import FULL, Line
from convert.train import Schedule
from tests.convert.test_stages import SAID, heard, hypothesis, take

NAMES = st.lists(st.sampled_from(["anna", "ben", "cleo", "dan", "eve"]), min_size=2, max_size=60)


@given(NAMES, st.integers(2, 6), st.integers(0, 3))
def test_every_voice_is_in_one_fold_and_every_row_in_one(names: list[str], count: int, seed: int) -> None:
    tags = np.array(names)
    if len(set(names)) < 2:
        with pytest.raises(InputError, match="only one"):
            crossval.folds(tags, count, seed)
        return
    held = crossval.folds(tags, count, seed)
    assert len(held) == min(count, len(set(names)))
    assert (np.sum(held, axis=0) == 1).all()
    assert all(mask.any() for mask in held)
    for name in set(names):
        assert sum(bool(mask[tags == name].any()) for mask in held) == 1


def test_a_net_is_trained_once_a_fold_and_what_spreads_is_said(rows: Rows) -> None:
    held = crossval.folds(np.array(["anna", "ben"] * (len(rows) // 2)), 2, 0)
    schedule = Schedule(epochs=1, batch=16)
    found = crossval.cross_validate(rows, held, FeatureSpec(), Shape(8, 8, 8, 1), schedule, 0, lambda *_: None)
    assert [fold["hypotheses"] for fold in found["folds"]] == [120, 120]
    both = [fold["right_auc"] for fold in found["folds"]]
    assert found["right_auc"]["mean"] == pytest.approx(np.mean(both), abs=1e-4)
    assert found["right_auc"]["spread"] == pytest.approx(abs(both[0] - both[1]) / np.sqrt(2), abs=1e-4)


def test_rows_know_who_spoke_and_in_what(tmp_path: Path, rows: Rows) -> None:
    lines = [Line("a large latte", speaker="flite-awb"), Line("a large latte", file="an4/x.flac")]
    made = [heard(take(FULL, line=line), hypothesis(SAID), hypothesis({})) for line in lines]
    keep(tmp_path / "shard.npz", made)
    some = rows.chosen(np.arange(4))
    found = crossval.tags_of([tmp_path / "shard.npz"], some, FeatureSpec(), {"an4/x.flac": "an4 mblw"})
    assert found.voice.tolist() == ["flite-awb"] * 2 + ["an4 mblw"] * 2
    assert set(found.noise.tolist()) == {"babble"}
    with pytest.raises(InputError, match="takes for rows"):
        crossval.tags_of([tmp_path / "shard.npz"], rows, FeatureSpec(), {})


def test_precision_and_recall_are_of_each_class() -> None:
    labels = ("latte", "mocha", "tea")
    truth = ["latte", "latte", "latte", "mocha", "tea", "unknown"]
    said = ["latte", "latte", "mocha", "mocha", "latte", "latte"]
    counts = classes.confusion(labels, truth, said)
    assert counts.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 0]]
    latte, mocha, tea = classes.scores(labels, counts)
    assert latte.precision == pytest.approx(2 / 3)
    assert latte.recall == pytest.approx(2 / 3)
    assert latte.support == 3
    assert mocha.f1 == pytest.approx(2 / 3)
    assert (tea.precision, tea.recall, tea.f1) == (0.0, 0.0, 0.0)
    assert classes.macro_f1([latte, mocha, tea]) == pytest.approx(4 / 9)


def test_both_answers_of_the_net_have_classes(rows: Rows) -> None:
    logit = np.where(rows.right > 0.5, 1.0, -1.0).astype(np.float32)
    found = classes.of_answers(rows, logit, -logit)
    assert [one["f1"] for one in found["right"]["classes"]] == [1.0, 1.0]
    assert [one["f1"] for one in found["whole"]["classes"]] == [0.0, 0.0]
    assert np.sum(found["whole"]["confusion"]) == int((rows.rank == 0).sum())


def test_a_matrix_is_drawn_while_anybody_can_read_it() -> None:
    assert classes.drawn("drinks", ("latte", "tea"), np.array([[3, 1], [0, 2]])).startswith("<p><img")
    many = tuple(map(str, range(100)))
    assert not classes.drawn("drinks", many, np.eye(100, dtype=np.int64))
