"""Precision, recall and F1 of each class, and which is taken for which: for any labels, and for the net's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.dataset import Rows
from convert.page import figure, picture, png, table

MOST_DRAWN = 40
"""Classes beyond which a matrix is not drawn: nobody could read it."""


@dataclass(frozen=True, slots=True)
class Class:
    """One class. precision, recall, f1: 0 where nothing was there to count. support: how often it is the truth."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def confusion(labels: Sequence[str], truth: Sequence[str], predicted: Sequence[str]) -> NDArray[np.int64]:
    """How often each label (row) was taken for each (column), int64 [L, L]. What is in no label is left out."""
    at = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for one, other in zip(truth, predicted, strict=True):
        if one in at and other in at:
            counts[at[one], at[other]] += 1
    return counts


def scores(labels: Sequence[str], counts: NDArray[np.int64]) -> list[Class]:
    """Precision, recall and F1 of each label from its confusions."""
    found = []
    for i, label in enumerate(labels):
        hit, said, meant = int(counts[i, i]), int(counts[:, i].sum()), int(counts[i].sum())
        precision, recall = hit / said if said else 0.0, hit / meant if meant else 0.0
        both = precision + recall
        found.append(Class(label, precision, recall, 2 * precision * recall / both if both else 0.0, meant))
    return found


def macro_f1(found: Sequence[Class]) -> float:
    """Mean F1 of the classes that occur."""
    there = [one.f1 for one in found if one.support]
    return sum(there) / len(there) if there else 0.0


def of_answers(rows: Rows, right: NDArray[np.float32], whole: NDArray[np.float32]) -> dict[str, Any]:
    """Classes of both answers of the net over hypotheses, yes above a logit of 0; `whole` only of the best ones."""
    first = rows.rank == 0
    found: dict[str, Any] = {}
    for name, logit, true in (("right", right, rows.right), ("whole", whole[first], rows.whole[first])):
        labels = (f"not {name}", name)
        truth, said = ([labels[int(yes)] for yes in column] for column in (true > 0.5, logit > 0))
        counts = confusion(labels, truth, said)
        found[name] = {
            "labels": labels,
            "confusion": counts.tolist(),
            "classes": [asdict(one) for one in scores(labels, counts)],
        }
    return found


def shown(found: Sequence[Class]) -> str:
    """As a table of a page."""
    rows = [(c.label, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", c.support) for c in found]
    return table(("class", "precision", "recall", "F1", "n"), rows)


def drawn(title: str, labels: Sequence[str], counts: NDArray[np.int64]) -> str:
    """A confusion matrix as a picture of a page, rows in shares; "" where there are too many classes to read."""
    if len(labels) > MOST_DRAWN:
        return ""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    made, (axis,) = figure(1)
    axis.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    places = range(len(labels))
    axis.set_xticks(places, labels, rotation=90, fontsize=7)
    axis.set_yticks(places, labels, fontsize=7)
    axis.set(title=title, xlabel="taken for", ylabel="said")
    return picture(png(made), f"{title}: what is taken for what")
