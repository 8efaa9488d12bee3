"""The converter is tried in the environment that has its extra (`make test-convert`); elsewhere one test says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from convert.dataset import Rows

NEEDED = ("tensorflow", "tf_keras", "pyroomacoustics", "scipy", "psutil", "matplotlib")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
ANYWHERE = ("conftest.py", "test_without_extra.py")

collect_ignore = [file.name for file in Path(__file__).parent.glob("*.py") if MISSING and file.name not in ANYWHERE]


@pytest.fixture(scope="session")
def missing() -> list[str]:
    """Packages of the extra that are not here."""
    return MISSING


@pytest.fixture(scope="session")
def rows() -> Rows:
    """240 hypotheses of 120 utterances that can be told apart: the right ones carry it in a column of every input."""
    import numpy as np

    from assistant.understand.fused.projection import FeatureSpec
    from convert.dataset import Rows

    spec, count = FeatureSpec(), 240
    rng = np.random.default_rng(3)
    right = (np.arange(count) % 2 == 0) & (np.arange(count) % 6 != 0)
    tokens = rng.standard_normal((count, spec.tokens, spec.token_width)).astype(np.float16)
    frames = rng.standard_normal((count, spec.frames, spec.frame_width)).astype(np.float16)
    globals_ = rng.standard_normal((count, spec.globals)).astype(np.float16)
    for array in (tokens, frames):
        array[..., 0] = np.where(right, 2, -2)[:, None]
        array[..., -1] = 1
    globals_[:, 0] = np.where(right, 2, -2)
    truth = right.astype(np.float32)
    ones = np.ones(count, np.float32)
    return Rows(
        tokens=tokens,
        frames=frames,
        globals=globals_,
        right=truth,
        whole=truth,
        right_weight=ones,
        whole_weight=ones,
        wrong=np.repeat(1 - truth[:, None], spec.tokens, axis=1),
        wrong_weight=np.ones((count, spec.tokens), np.float32),
        utterance=(np.arange(count) // 2).astype(np.int32),
        rank=(np.arange(count) % 2).astype(np.int32),
        score=rng.standard_normal(count).astype(np.float32),
        kind=np.full(count, "full", "<U8"),
        corpus=np.full(count, "made", "<U24"),
        snr_db=np.full(count, 6.0, np.float32),
        valid=np.arange(count) >= 200,
    )
