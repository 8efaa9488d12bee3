"""One HTML page about a study: what each way of making the net smaller costs and brings, by layer and by fold."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convert import classes
from convert.page import figure, picture, png, table, write_page

MARKS = {
    "as trained": "o",
    "trained on": "D",
    "channels": "s",
    "weights": "v",
    "aware": "^",
    "aware, zeros kept": "P",
}


def write_study(file: Path, name: str, command: str, found: Mapping[str, Any]) -> None:
    """Write the page. Raises StorageError."""
    basis = "the labelled orders" if found["judged_by"] == "recordings" else "validation takes"
    said = (
        f"<p>Measured by <code>{html.escape(command)}</code> on {basis}. Every net but “as trained” was trained on for "
        f"{found['tuning']['epochs']} epochs. Times are processor time, one thread, all nets by turns in one run.</p>"
    )
    parts = [
        f"<h1>{html.escape(name)}: smaller nets side by side</h1>",
        said,
        picture(_curves(found["entries"]), "accuracy against size and speed"),
        _entries(found),
        "<h2>Layers</h2>",
        f"<p>{html.escape(found['layers']['verdict']['reason'])}.</p>",
        picture(_layers(found["layers"]), "decisions changed by each layer's rounding"),
        _layer_table(found["layers"]),
        *_classes(found.get("classes", {})),
        *_folds(found.get("folds", {})),
    ]
    write_page(file, name, parts)


def _entries(found: Mapping[str, Any]) -> str:
    rows = [
        (
            name + (" *" if name in found["front"] else ""),
            f"{row['bytes'] / 1024:.0f}",
            f"{row['compressed'] / 1024:.0f}",
            f"{row['operations'] / 1e6:.2f}",
            f"{row['ms']:.3f}",
            f"{row['faster']:.2f}",
            f"{row['strict_both']} of {row['orders_both']}",
            f"+{row['gained']} −{row['lost']}",
            row["halves_invented"],
            row["tails"],
            f"{row['right_auc']:.4f}",
            f"{100 * row['same_decision']:.1f} %",
        )
        for name, row in found["entries"].items()
    ]
    head = ("net (* none beats it in size, time and orders at once)", "KiB", "compressed", "M multiplications", "ms")
    more = ("times as fast", "strictly right", "against float", "cut, invented", "talked into", "AUC of right")
    return table((*head, *more, "decides as float"), rows)


def _layer_table(found: Mapping[str, Any]) -> str:
    rows = [(row["layer"], row["alone_changes"], row["spared_changes"], row["spared_bytes"]) for row in found["each"]]
    head = ("layer", "decisions changed: it alone int8", "all int8 but it", "bytes with it in float")
    return table(head, [*rows, ("none, all int8", "", found["int8_changes"], found["int8_bytes"])])


def _classes(found: Mapping[str, Any]) -> list[str]:
    parts = ["<h2>Answers of the net as trained</h2>"] if found else []
    for name, one in found.items():
        parts += [
            f"<h3>{html.escape(name)}</h3>",
            classes.shown([classes.Class(**row) for row in one["classes"]]),
            classes.drawn(name, one["labels"], np.array(one["confusion"])),
        ]
    return parts


def _folds(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return []
    rows = [
        (over, len(of["folds"]), *(f"{of[name]['mean']} ± {of[name]['spread']}" for name in names))
        for over, of in found.items()
        for names in [("right_auc", "whole_auc", "valid_loss")]
    ]
    head = ("held out", "folds", "AUC of right", "AUC of whole", "loss")
    return ["<h2>Cross-validation</h2>", table(head, rows)]


def _curves(entries: Mapping[str, Mapping[str, Any]]) -> bytes:
    drawn, axes = figure(3)
    axis_of = (("bytes", 1024, "KiB"), ("compressed", 1024, "KiB, compressed"), ("ms", 1, "ms a hypothesis"))
    for axis, (key, unit, label) in zip(axes, axis_of, strict=True):
        for way, mark in MARKS.items():
            rows: Sequence[Mapping[str, Any]] = [row for row in entries.values() if row["way"] == way]
            line = "-" if way in ("channels", "weights") else ""
            axis.plot([r[key] / unit for r in rows], [r["strict_both"] for r in rows], line, marker=mark, label=way)
        axis.set(xlabel=label, ylabel="strictly right")
    axes[-1].legend(fontsize=7)
    return png(drawn)


def _layers(found: Mapping[str, Any]) -> bytes:
    drawn, (axis,) = figure(1)
    rows = found["each"]
    places = np.arange(len(rows))
    axis.barh(places + 0.2, [row["alone_changes"] for row in rows], 0.4, label="it alone int8")
    axis.barh(places - 0.2, [row["spared_changes"] for row in rows], 0.4, label="all int8 but it")
    axis.axvline(found["int8_changes"], color="#999", linestyle=":")
    axis.set_yticks(places, [row["layer"] for row in rows], fontsize=7)
    axis.set(xlabel=f"decisions changed, of {found['decisions']}")
    axis.legend(fontsize=7)
    return png(drawn)
