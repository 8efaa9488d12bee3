"""How fast nets are, one beside the other in one run: all take turns, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from assistant.understand.fused.manifest import INPUTS
from assistant.understand.fused.projection import FeatureSpec
from convert.dataset import Inputs
from convert.quantize import runner

ROUNDS, ROWS = 7, 60


def race(files: Mapping[str, bytes], rows: Inputs) -> dict[str, dict[str, Any]]:
    """Milliseconds of processor time for one hypothesis, median and spread over rounds; ROWS of `rows` are enough."""
    # Ready before the clock runs: what makes them floats costs as much as a small net.
    count = range(min(ROWS, len(rows)))
    inputs = [{name: getattr(rows, name)[i : i + 1].astype(np.float32) for name in INPUTS} for i in count]
    open_nets = {name: runner(file) for name, file in files.items()}
    times: dict[str, list[float]] = {name: [] for name in files}
    for turn in range(ROUNDS + 1):
        for name, net in open_nets.items():
            began = time.thread_time()
            for one in inputs:
                net(**one)
            if turn:  # the first one warms up
                times[name].append(1000 * (time.thread_time() - began) / len(inputs))
    return {
        name: {"median": round(float(np.median(ms)), 4), "spread": [round(min(ms), 4), round(max(ms), 4)]}
        for name, ms in times.items()
    }


def drawn(spec: FeatureSpec, seed: int = 0) -> Inputs:
    """Inputs at random: the time of a net does not depend on them."""
    rng = np.random.default_rng(seed)
    shapes = ((spec.tokens, spec.token_width), (spec.frames, spec.frame_width), (spec.globals,))
    return Inputs(*(rng.standard_normal((ROWS, *shape)).astype(np.float16) for shape in shapes))
