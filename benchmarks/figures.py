"""Writes docs/figures.md from the last runs, whole ones first: `python -m benchmarks.figures [OUT] [FILE]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import fused_tables, home_report, replay, scheduler_report, sound

HEAD = """# Figures

What was measured, by which command, on which machine. The recordings are no part of the repository: set
`ASSISTANT_DATA` to a folder that has them. `python -m benchmarks.figures` writes this page from `out/bench-*.json`.
Intervals are 95 %.
"""
UNDERSTANDING = """\
{orders} spoken orders of more than 50 people. Right: the public rule (accepted, the intent and every labelled slot);
strict: no other slot besides. Asked: it asks back before it acts; of two nearly equal meanings the better one counts as
its answer. Rhino's figures are the published ones, of the same recordings and noise.
"""
REFUSAL = """\
All figures are of half B of the recordings (by MD5 of the file name); `assistant bench refuse --fit` fits on half A.
"""
LATENCY = """\
Median / 95th percentile, milliseconds, one thread, endpoint waiting excluded. CPU time is the deciding thread's own: it
does not grow when other programs use the machine, wall time does.
"""
FELT = """\
Felt: last voiced sample to decision, files played in real time, endpoint waiting and speculation included.
"""
MEMORY = """\
Resident memory of a listening process, MB, with {devices} devices in {areas} areas.
"""


def page(folder: Path) -> str:
    """The page, from the documents in `folder`; what was never measured is left out."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        paths = [folder / f"bench-{name}{part}.json" for part in ("", "-limited")]
        docs = [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]
        shown = docs[:1] + [doc for doc in docs[1:] if _has_more_peers(doc, docs[0])]
        parts.extend(f"{_source(doc)}\n\n{section(doc['results'])}\n" for doc in shown)
    return "\n".join(parts)


def _has_more_peers(doc: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    """Whether a limited run compares with recognisers that the whole one left out."""
    return len(doc["results"].get("systems", ())) > len(whole["results"].get("systems", ()))


def _source(doc: Mapping[str, Any]) -> str:
    m = doc["machine"]
    machine = f"{m['processor']}, {m['cores']} cores, {m['memory_gb']:g} GB, {m['system']}, load {m['load']}"
    versions = ", ".join(f"{name} {version}" for name, version in doc["versions"].items())
    limited = f"Only a part was measured: {doc['limited']}.\n" if doc["limited"] else ""
    return (
        f"## {TITLES[doc['benchmark']]}\n\n{limited}"
        f"`{doc['command']}`: {doc['date']}, commit {doc['commit']}.\n{machine}; {versions}."
    )


def _understanding(results: Mapping[str, Any]) -> str:
    names = list(results["systems"])
    head = (
        "condition",
        "right %",
        "strict %",
        "asked %",
        *(f"{name}, right %" for name in names[1:]),
        "Rhino, right %",
    )
    published = results["published"]
    rhino = dict(zip(published["snr_db"], published["right_percent"]["Picovoice Rhino"], strict=True))
    ours = results["systems"][names[0]]
    rows = []
    for condition, found in ours.items():
        words = condition.split()
        level = rhino.get(int(words[1])) if words[0] == "kitchen" and words[1].isdigit() else None
        if condition.startswith("kitchen mean"):
            level = f"{sum(rhino.values()) / len(rhino):.1f}"
        peers = (_rate(results["systems"][name][condition]["right"]) for name in names[1:])
        rows.append(
            (condition, *(_sure(found[f]) for f in ("right", "strict")), _rate(found["asked"]), *peers, level or "")
        )
    return UNDERSTANDING.format(orders=results["orders"]) + "\n" + _table(head, rows)


def _refusal(results: Mapping[str, Any]) -> str:
    kept = []
    for kind in ("orders", "commands"):
        for group, f in results[kind].items():
            shares = (_sure(f["accepted"]), _rate(f["asked"]), _sure(f["right_accepted"]))
            kept.append((f"{kind} {group}", *shares, _of(f["wrong_accepted"])))
    foreign = [
        (context, group, _of(f["accepted"]), _sure(f["accepted"]), _of(f["asked"]))
        for context, groups in results["foreign"].items()
        for group, f in groups.items()
    ]
    hard = [
        (f"cut in half, {group}", f"{_of(f['true_prefix'])} true so far, {_of(f['invented'])} completed by invention")
        for group, f in results["halves"].items()
    ]
    hard += [
        (f"then 1.5 s of somebody else, {group}", f"{_of(f['acted_on'])}, of these right {_of(f['of_these_right'])}")
        for group, f in results["tails"].items()
    ]
    ece = [(name, f"{f['ece']:.3f}", f["n"]) for name, f in results["reliability"].items()]
    tables = (
        _table(("meant for it", "accepted %", "asked %", "heard right: accepted %", "heard wrong: acted on"), kept),
        _table(("context", "foreign speech", "accepted", "accepted %", "asked"), foreign),
        _table(("orders", "acted on"), hard),
        _table(("confidence over", "expected calibration error", "n"), ece),
    )
    return REFUSAL + "\n" + "\n\n".join(tables)


def _latency(results: Mapping[str, Any]) -> str:
    stages = ("encode", "search", "meanings", "decide")
    rows = [
        (
            r["set"],
            r["beam"],
            r["total_ms"]["n"],
            *(_spread(r["stages_ms"][s]) for s in stages),
            _spread(r["total_ms"]),
            _spread(r["cpu_ms"]),
        )
        for r in results["decision"]
    ]
    text = LATENCY + "\n" + _table(("speech", "beam", "n", *stages, "total", "CPU"), rows)
    if "felt" in results:
        felt = [
            (r["set"], _spread(r["felt_ms"]), r["felt_ms"]["n"], r["not_heard"], r["split"]) for r in results["felt"]
        ]
        text += f"\n\n{FELT}\n"
        text += _table(("speech", "felt ms", "n", "not heard", "heard in two parts"), felt)
    return text


def _memory(results: Mapping[str, Any]) -> str:
    rows = [(p["process"], p["listening_mb"], p["steady_mb"], p["peak_mb"]) for p in results["processes"]]
    text = MEMORY.format(devices=results["devices"], areas=results["areas"])
    return text + "\n" + _table(("process", "listening", "after commands", "peak"), rows)


def _start(results: Mapping[str, Any]) -> str:
    names = {
        "first": "to listening, first time (the model and the context are prepared)",
        "again": "to listening",
        "help": "`assistant --help`",
        "version": "`assistant version`",
    }
    rows = [(names[k], r["median_s"], f"{r['min_s']}–{r['max_s']}", r["cpu_s"], r["n"]) for k, r in results.items()]
    return _table(("from the start of the program", "median s", "range", "CPU s", "n"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def _sure(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{100 * found['rate']:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def _rate(found: Mapping[str, Any]) -> str:
    return f"{100 * found['rate']:.1f}"


def _of(found: Mapping[str, Any]) -> str:
    return f"{found['count']}/{found['n']}"


def _spread(found: Mapping[str, Any]) -> str:
    return f"{found['p50']:.0f} / {found['p95']:.0f}"


TITLES = {
    "understand": "Spoken orders in noise",
    "refuse": "Refusal",
    "latency": "Latency",
    "memory": "Memory",
    "start": "Start",
    "replay": "Decisions made again from their records",
    "home": "A home",
    "fused": "The fused model",
    "sound": "From sound alone",
    "scheduler": "Answers in time under load",
}
SECTIONS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "understand": _understanding,
    "refuse": _refusal,
    "latency": _latency,
    "memory": _memory,
    "start": _start,
    "home": home_report.section,
    "fused": fused_tables.section,
    "sound": sound.section,
    "scheduler": scheduler_report.section,
    "replay": replay.section,
}


def main() -> None:
    """Command line."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    target = Path(sys.argv[2] if len(sys.argv) > 2 else "docs/figures.md")
    target.write_text(page(folder), encoding="utf-8")
    print(target)


if __name__ == "__main__":
    main()
