"""The timeline of the scheduler's benchmark: load, plan and latency of the changing scenarios, one above the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DRAWN = ("limit falls", "noisy neighbour", "heat")


def draw(axes: Any, results: Mapping[str, Any]) -> None:
    """Load, plan and latency over time, a column for each changing scenario."""
    figure = axes.figure
    axes.set_axis_off()  # it keeps the title; its place is divided
    figure.set_size_inches(13, 7.5)
    names = [name for name in DRAWN if name in results["scenarios"]] or list(results["scenarios"])[:3]
    order = list(results["idle_ms"])
    spec = axes.get_subplotspec().subgridspec(4, len(names), height_ratios=(0.08, 1, 1.2, 1.8))
    grid = [[figure.add_subplot(spec[row, column]) for column in range(len(names))] for row in (1, 2, 3)]
    for column, name in enumerate(names):
        timeline = results["scenarios"][name]["timeline"]
        _draw_load(grid[0][column], timeline, name)
        _draw_plans(grid[1][column], timeline, order)
        _draw_times(grid[2][column], timeline, results["slo_ms"])
    grid[0][0].set_ylabel("load")
    grid[1][0].set_ylabel("plan")
    grid[2][0].set_ylabel("ms, end of speech to decision")


def _draw_load(axes: Any, timeline: Mapping[str, Any], name: str) -> None:
    x = range(len(timeline["pressure"]))
    axes.fill_between(x, [p or 0 for p in timeline["pressure"]], step="mid", alpha=0.4, label="CPU pressure")
    if any(q is not None for q in timeline["quota"]):
        quotas = [1.0 if q is None else q for q in timeline["quota"]]
        axes.step(x, quotas, where="mid", color="black", label="cores allowed")
    if any(c is not None for c in timeline["celsius"]):
        axes.plot(x, [(c or 0) / 100 for c in timeline["celsius"]], color="tab:red", label="°C / 100")
    axes.set_ylim(0, 1.3)
    axes.text(0.02, 0.88, name, transform=axes.transAxes, weight="bold")
    axes.legend(fontsize=7, loc="lower left")


def _draw_plans(axes: Any, timeline: Mapping[str, Any], order: Sequence[str]) -> None:
    for name, style in (("oracle", {"color": "tab:green", "alpha": 0.5}), ("scheduler", {"color": "black"})):
        ranks = [order.index(plan) for plan in timeline["plan"][name]]
        axes.step(range(len(ranks)), ranks, where="mid", label=name, **style)
    axes.set_yticks(range(len(order)), order, fontsize=7)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=7)


def _draw_times(axes: Any, timeline: Mapping[str, Any], slo_ms: float) -> None:
    dearest = next(name for name in timeline["ms"] if name.startswith("fixed "))
    for name, style in (
        (dearest, {"color": "tab:red", "marker": "x"}),
        ("scheduler", {"color": "black", "marker": "o"}),
    ):
        values = timeline["ms"][name]
        axes.plot(range(len(values)), values, linestyle="-", linewidth=0.6, markersize=3, label=name, **style)
    axes.plot(range(len(timeline["late_ms"])), timeline["late_ms"], ":", color="grey", label="95 % foreseen")
    axes.axhline(slo_ms, color="tab:blue", linewidth=1, label=f"objective, {slo_ms:.0f} ms")
    axes.set(xlabel="utterance", ylim=(0, min(3 * slo_ms, 1.05 * max(timeline["ms"][dearest]))))
    axes.legend(fontsize=7)
