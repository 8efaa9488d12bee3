"""Pictures of the figures. matplotlib is imported only here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.errors import PluginError, UsageError

OURS = "black"


def save(draw: Any, doc: Mapping[str, Any], path: Path) -> None:
    """Draw `doc` with `draw(axes, results)` into `path` (.png or .svg). Raises PluginError without matplotlib."""
    if path.suffix not in (".png", ".svg"):
        raise UsageError("a plot is a .png or .svg file", where="--plot", remedy=f"{path.stem}.svg, for example")
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise PluginError(
            "matplotlib is not installed", where="--plot", remedy="pip install 'assistant-voice[bench]'"
        ) from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    draw(axes, doc["results"])
    limited = f"; only a part: {doc['limited']}" if doc["limited"] else ""
    axes.set_title(f"{doc['command']}, {doc['date']}{limited}", loc="right", fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def understanding(axes: Any, results: Mapping[str, Any]) -> None:
    """Percent of orders right over the signal-to-noise ratio, ours with intervals, peers, and the published engines."""
    published = results["published"]
    for name, percents in published["right_percent"].items():
        axes.plot(published["snr_db"], percents, ":", marker=".", alpha=0.7, label=f"{name} (published)")
    for index, (name, summary) in enumerate(results["systems"].items()):
        points = sorted((float(re.findall(r"\d+", c)[0]), c) for c in summary if re.fullmatch(r"kitchen \d+ dB", c))
        x = [snr_db for snr_db, _ in points]
        for field, style in (("right", "-o"), ("strict", "--s")) if index == 0 else (("right", "-."),):
            rows = [summary[c][field] for _, c in points]
            y = [100 * row["rate"] for row in rows]
            label = f"{name}, strict" if field == "strict" else name
            colour = OURS if index == 0 else None
            axes.plot(x, y, style, label=label, linewidth=1 if index else 2, color=colour)
            if index == 0:
                low = [100 * row["interval"][0] for row in rows]
                high = [100 * row["interval"][1] for row in rows]
                axes.fill_between(x, low, high, alpha=0.15, color=OURS)
    axes.set(xlabel="kitchen noise, signal-to-noise ratio (dB)", ylabel="orders right (%)", ylim=(None, 101))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right")


def reliability(axes: Any, results: Mapping[str, Any]) -> None:
    """Stated against true probability that the meaning is strictly right."""
    axes.plot([0, 1], [0, 1], ":", color="grey")
    for name, found in results["reliability"].items():
        x, y = [row["stated"] for row in found["bins"]], [row["true"] for row in found["bins"]]
        axes.plot(x, y, "-", label=f"{name} (ECE {found['ece']:.3f}, n = {found['n']})")
        axes.scatter(x, y, s=[4 + 2 * row["n"] ** 0.5 for row in found["bins"]])
    axes.set(xlabel="stated probability", ylabel="true share", xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def latency(axes: Any, results: Mapping[str, Any]) -> None:
    """Median time of each stage, stacked, for every set and beam width."""
    rows = [(f"{r['set']}, beam {r['beam']}", r["stages_ms"]) for r in results["decision"]]
    left = [0.0] * len(rows)
    for stage in ("encode", "search", "meanings", "decide"):
        widths = [stages[stage]["p50"] for _, stages in rows]
        axes.barh([name for name, _ in rows], widths, left=left, label=stage)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set(xlabel="median computing time, end of speech to decision (ms)")
    axes.invert_yaxis()
    axes.legend(fontsize=8)
