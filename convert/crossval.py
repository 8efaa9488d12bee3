"""Cross-validation: the net is trained K times without some voices, or without a kind of noise, and judged on those.

A voice is a synthetic one or a person; all that it says is in one fold. What spreads between folds is what a figure of
one split is worth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import InputError
from assistant.understand.fused.projection import FeatureSpec
from convert.dataset import ROWS_A_TAKE, Rows, labels
from convert.model import Shape
from convert.recognise import Heard, read_shard
from convert.train import Schedule, train

FIGURES = ("right_auc", "whole_auc", "valid_loss")
LEAST_FOLDS = 2

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Tags:
    """Of each row: who spoke, and in what kind of noise."""

    voice: NDArray[np.str_]
    noise: NDArray[np.str_]


def tags_of(shards: Iterable[Path], rows: Rows, spec: FeatureSpec, speakers: Mapping[str, str]) -> Tags:
    """Who is heard in each row. shards: those that `rows` are of, in their order; speakers: by recording's file."""
    found = [
        (heard.take.line.speaker or speakers.get(heard.take.line.file, heard.take.line.file), heard.noise)
        for shard in shards
        for heard in read_shard(shard)
        if _gives_rows(heard, spec)
    ]
    _, number = np.unique(rows.utterance, return_inverse=True)
    if int(number.max(initial=-1)) + 1 != len(found):
        raise InputError(f"{len(found)} takes for rows of {int(number.max(initial=-1)) + 1}", where="crossval")
    voices, noises = (np.array(column, np.str_) for column in zip(*found, strict=True))
    return Tags(voices[number], noises[number])


def folds(tags: NDArray[np.str_], count: int, seed: int) -> list[NDArray[np.bool_]]:
    """`count` masks over the rows: each tag is in one of them, and they are about equally large."""
    names, sizes = np.unique(tags, return_counts=True)
    if len(names) < LEAST_FOLDS:
        raise InputError(f"there is only one of them: {', '.join(names)}", where="--folds", remedy="more data")
    order = sorted(zip(names, sizes, strict=True), key=lambda pair: (-pair[1], _draw(str(pair[0]), seed)))
    groups: list[list[str]] = [[] for _ in range(min(max(count, LEAST_FOLDS), len(names)))]
    full = [0] * len(groups)
    for name, size in order:
        smallest = full.index(min(full))
        groups[smallest].append(str(name))
        full[smallest] += int(size)
    return [np.isin(tags, group) for group in groups]


def cross_validate(
    rows: Rows,
    held: Sequence[NDArray[np.bool_]],
    spec: FeatureSpec,
    shape: Shape,
    schedule: Schedule,
    seed: int,
    advance: Advance,
) -> dict[str, Any]:
    """Train without each of `held` and judge on it: figures of every fold, mean and standard deviation."""
    every = []
    for i, mask in enumerate(held):
        done = train(replace(rows, valid=mask), spec, shape, schedule, seed, lambda *_: None)
        every.append({name: done.history[done.best][name] for name in FIGURES} | {"hypotheses": int(mask.sum())})
        advance(i + 1, len(held))
    return {"folds": every, **{name: spread([fold[name] for fold in every]) for name in FIGURES}}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, and standard deviation between folds (n - 1)."""
    return {"mean": round(float(np.mean(values)), 4), "spread": round(float(np.std(values, ddof=1)), 4)}


def _gives_rows(heard: Heard, spec: FeatureSpec) -> bool:
    """As dataset.py leaves hypotheses out."""
    shown = heard.hypotheses[:ROWS_A_TAKE]
    return any(labels(heard, h)[2] and len(h.tokens) <= spec.tokens for h in shown)


def _draw(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
