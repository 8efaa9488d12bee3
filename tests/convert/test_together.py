"""Several processes train one net: their losses are those of one process, and they end together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from assistant.errors import PluginError
from assistant.understand.fused.projection import FeatureSpec
from convert import model
from convert.dataset import Rows
from convert.files import write_arrays
from convert.together import Plan, train_together
from convert.train import Schedule, train

SPEC, SHAPE = FeatureSpec(), model.Shape(8, 8, 8, 1)
PLAN = Plan(SPEC, SHAPE, Schedule(epochs=3, batch=8, rate=5e-3, averaged=0.8), 7, regular=None)


def kept(rows: Rows, folder: Path) -> list[Path]:
    """The rows in two files, as the stages keep them."""
    files = []
    for name, chosen in (("a", rows.utterance < 50), ("b", rows.utterance >= 50)):
        part = rows.chosen(chosen)
        part = replace(part, utterance=part.utterance - part.utterance.min())
        write_arrays(folder / f"{name}.npz", {field: getattr(part, field) for field in Rows.__dataclass_fields__})
        files.append(folder / f"{name}.npz")
    return files


@pytest.mark.real
def test_two_processes_lose_what_one_loses(rows: Rows, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def advance(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
        assert figures["loss"] > 0
        told.append((epoch, epochs))

    two = train_together(tmp_path / "net", PLAN, kept(rows, tmp_path), 2, advance)
    one = train(rows, SPEC, SHAPE, PLAN.schedule, PLAN.seed, lambda *_: None, regular=None)
    assert told == [(1, 3), (2, 3), (3, 3)]
    for name in ("loss", "valid_loss", "right_auc"):
        assert np.allclose([e[name] for e in one.history], [e[name] for e in two.history], rtol=1e-3, atol=1e-3)
    assert one.best == two.best
    for a, b in zip(one.weights, two.weights, strict=True):
        assert np.allclose(a, b, atol=2e-3)


@pytest.mark.real
def test_a_process_that_dies_takes_the_others_with_it_and_is_named(rows: Rows, tmp_path: Path) -> None:
    """Left alone, the others would wait for it for ever."""
    long = replace(PLAN, schedule=replace(PLAN.schedule, epochs=10_000, patience=10_000))
    here = psutil.Process()
    crew: list[psutil.Process] = []

    def advance(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
        if not crew:
            crew.extend(child for child in here.children() if "convert.together" in child.cmdline())
            crew[1].kill()

    with pytest.raises(PluginError, match="fewer --workers"):
        train_together(tmp_path / "net", long, kept(rows, tmp_path), 2, advance)
    assert len(crew) == 2
    assert not any(child.is_running() for child in crew)
