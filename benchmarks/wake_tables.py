"""The document of `assistant bench wake` as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.cli.output import styled, table
from benchmarks import wake_breath

TITLES = {
    "shipped": "as shipped",
    "without a second opinion": "as shipped, where openwakeword is not installed",
    "chosen on half A": "thresholds chosen on half A",
    "chosen on half A, without a second opinion": "a single threshold chosen on half A",
}


def show(doc: Mapping[str, Any]) -> None:
    """Missed words and false alarms by thresholds, the curves, one breath, and the cost."""
    results = doc["results"]
    heard = results["heard"]
    print(styled(f"\n“{heard['word']}”: missed, and false alarms on speech of others", "bold"))
    rows = [_figures(title, heard[name], part) for name, title in TITLES.items() for part in _parts(heard[name])]
    conditions = list(heard["shipped"]["all"]["missed"])
    head = ("thresholds", "judged on", *conditions, "alarms", "hours", "per hour (95 %)", "noise")
    print(table(head, rows, right=head[2:]))
    groups = heard["shipped"]["all"]["groups"]
    print("false alarms as shipped: " + ", ".join(f"{name} {row['alarms']}" for name, row in groups.items()))
    doubts = heard["doubts"]
    print(
        f"the second opinion is asked for {doubts['of_words']:.1%} of the words, "
        f"and {doubts['per_hour_of_speech']:.1f} times in an hour of speech"
    )
    for name in ("curve, without a second opinion", "curve, with it"):
        _curve(name, heard[name])
    if results["breath"]:
        print(styled("\nthe word and an order, with a pause between", "bold"))
        columns = ("condition", "pause", "woken", "earcon", "utterances", "order right")
        print(table(columns, wake_breath.lines(results["breath"]), right=columns[2:]))
    _cost(results["cost"])


def _parts(entry: Mapping[str, Any]) -> Sequence[str]:
    return [part for part in ("half B", "all") if part in entry]


def _figures(title: str, entry: Mapping[str, Any], part: str) -> tuple[object, ...]:
    figures = entry[part]
    limits = entry["thresholds"]
    values = f"{limits['sure']:g}" + (f"/{limits['maybe']:g}/{limits['together']:g}" if limits["agree"] else "")
    speech = figures["speech"]
    low, high = speech.get("interval", (0.0, 0.0))
    return (
        f"{title} ({values})",
        part,
        *(f"{found['count']}/{found['n']} {found['rate']:.1%}" for found in figures["missed"].values()),
        speech["count"],
        f"{speech['hours']:.2f}",
        f"{speech.get('per_hour', 0.0):.2f} ({low:.2f} to {high:.2f})",
        f"{figures['noise']['count']} in {figures['noise']['hours']:.2f} h",
    )


def _curve(name: str, points: Sequence[Mapping[str, Any]]) -> None:
    print(styled(f"\n{name}", "bold"))
    head = ("threshold", *(f"missed, {condition}" for condition in points[0]["missed"]), "false alarms an hour")
    rows = [
        (f"{p['sure']:g}", *(f"{missed:.1%}" for missed in p["missed"].values()), f"{p['alarms_per_hour']:.2f}")
        for p in points
    ]
    print(table(head, rows, right=head))


def _cost(cost: Mapping[str, Any]) -> None:
    print(styled("\ncost while nobody says the word", "bold"))
    places = list(next(iter(cost["cpu_percent"].values())))
    rows = [(name, *(f"{value:.2f} %" for value in values.values())) for name, values in cost["cpu_percent"].items()]
    print(table(("of one core", *places), rows, right=places))
    print("memory: " + ", ".join(f"{name} {value:.1f} MB" for name, value in cost["memory_mb"].items()))
