"""One HTML page about a build: data, curves of training, figures by condition, honesty of the confidence, sizes.

The plots are inside the page, so that it can be sent to anybody as one file.
"""

from __future__ import annotations

import html
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.understand.fused.manifest import Manifest
from convert import costs
from convert.page import figure, picture, png, table, write_page

if TYPE_CHECKING:
    from convert.build import Built


def write_report(file: Path, built: Built, manifest: Manifest) -> None:
    """Write the page. Raises StorageError."""
    parts = [
        f"<h1>{html.escape(manifest.name)}</h1>",
        f"<p>Built by <code>{html.escape(manifest.command)}</code> in {built.seconds / 60:.1f} minutes.</p>",
        "<h2>Variants</h2>",
        _variants(built),
        *_precisions(built),
        "<h2>Stages</h2>",
        _stages(built),
        "<h2>Data</h2>",
        table(("kind", "hypotheses"), sorted(built.origin.trained_on.items())),
        "<h2>Training</h2>",
        picture(_curves(built), "loss by epoch"),
    ]
    for cost, found in built.figures.items():
        for basis, name in (("recordings", "real recordings"), ("validation", "validation takes")):
            if basis in found:
                parts += [f"<h2>{cost}: {name}</h2>", *_judged(found[basis])]
    parts += ["<h2>Licences of what it was trained on</h2>", table(("what", "licence"), manifest.licences.items())]
    write_page(file, manifest.name, parts)


def _stages(built: Built) -> str:
    """What each stage took; what was there already took nothing."""
    rows = [
        (
            spent.stage,
            f"{spent.units:,.0f} {costs.UNITS[spent.stage]}" if spent.units else "was there",
            costs.duration(spent.wall_s),
            costs.duration(spent.busy_s),
            f"{spent.made / 1e6:,.1f}",
            f"{spent.memory / 1e9:.1f}",
        )
        for spent in built.stages
    ]
    head = ("stage", "did", "time", "processor time", "MB written", "GB of memory, the largest process so far")
    return table(head, rows)


def _variants(built: Built) -> str:
    rows = []
    for candidate in built.candidates:
        close = built.figures[candidate.cost]["float"]
        same = close["agreement"]["same_decision"]
        rows.append(
            (
                candidate.cost,
                candidate.precision,
                f"{len(candidate.data) / 1024:.0f}",
                f"{candidate.parameters:,}",
                f"{candidate.operations:,}",
                f"{candidate.milliseconds or 0:.2f}",
                f"{100 * same['rate']:.1f} %",
            )
        )
    head = ("variant", "precision", "KiB", "parameters", "multiplications", "ms", "decides as its float net")
    return table(head, rows)


def _precisions(built: Built) -> list[str]:
    """The full net in every precision, where they were judged."""
    if not built.precisions:
        return []
    everything = {"int8": (built.candidates[0], built.figures["full"]), **built.precisions}
    rows = []
    for precision, (candidate, found) in everything.items():
        judged = found.get("recordings", found["validation"])
        rows.append(
            (
                precision,
                f"{len(candidate.data) / 1024:.0f}",
                f"{len(zlib.compress(candidate.data, 9)) / 1024:.0f}",
                f"{candidate.milliseconds or 0:.2f}",
                sum(row["strict"] for row in judged["orders, both halves"].values()),
                f"{100 * found['float']['agreement']['same_meaning']['rate']:.2f} %",
                f"{found['float']['correlation']['right']:.4f}",
            )
        )
    head = ("precision", "KiB", "compressed", "ms", "strictly right", "same meaning as float", "logits correlate")
    return ["<h2>Precisions of the full net</h2>", table(head, rows)]


def _judged(found: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            group,
            row["n"],
            row["decoder_strict"],
            row["strict"],
            row["in_n_best"],
            f"+{row['gained']} −{row['lost']}",
            f"{row['true_kept']['count']} of {row['true_kept']['n']}",
        )
        for group, row in found["orders"].items()
    ]
    head = ("condition", "n", "recogniser, strict", "with the net", "in the n-best", "changed", "true ones kept")
    others = [
        (name, f"{counted['count']} of {counted['n']}", f"{counted['interval'][0]:.3f} – {counted['interval'][1]:.3f}")
        for name, counted in (
            ("cut in half, completed by invention", found["halves"]["invented"]),
            ("cut in half, true as far as it goes", found["halves"]["true_prefix"]),
            ("foreign speech after the sentence", found["tails"]),
            ("foreign speech", found["foreign"]),
        )
    ]
    honest = found["confidence"]
    numbers = (
        f"<p>Weight {found['weight']:g} nats a logit; asked below {found['doubt']:.3f}. Confidence: area under the "
        f"curve {honest.get('auc', '–')}, expected calibration error {honest.get('ece', '–')}.</p>"
    )
    return [
        table(head, rows),
        table(("accepted silently", "count", "95 % interval"), others),
        numbers,
        picture(_reliability(honest), "stated against true confidence") if honest.get("bins") else "",
    ]


def _curves(built: Built) -> bytes:
    drawn, axes = figure(len(built.trained))
    for axis, (cost, trained) in zip(axes, built.trained.items(), strict=True):
        for name in ("loss", "valid_loss"):
            axis.plot([row[name] for row in trained.history], label=name.replace("_", " "))
        axis.axvline(trained.best, color="#999", linestyle=":")
        axis.set(title=cost, xlabel="epoch")
        axis.legend()
    return png(drawn)


def _reliability(honest: Mapping[str, Any]) -> bytes:
    drawn, axes = figure(1)
    bins = honest["bins"]
    axes[0].plot([0, 1], [0, 1], color="#bbb", linestyle=":")
    axes[0].plot([b["stated"] for b in bins], [b["true"] for b in bins], marker="o")
    axes[0].set(xlabel="stated", ylabel="true", xlim=(0, 1), ylim=(0, 1))
    return png(drawn)
