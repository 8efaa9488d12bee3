"""Documents as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.cli.output import styled, table


def understanding(doc: Mapping[str, Any], *, errors: bool) -> None:
    """Orders understood, by system and condition; `errors` lists those that are not strictly right."""
    results = doc["results"]
    for name, summary in results["systems"].items():
        print(styled(f"\n{name}: {results['orders']} orders", "bold"))
        rows = [
            (
                condition,
                *(_percent(found[field]) for field in ("right", "strict")),
                *(f"{100 * found[f]['rate']:.1f}" for f in ("accepted", "asked", "decoded_right", "decoded_strict")),
            )
            for condition, found in summary.items()
        ]
        head = ("condition", "right %", "strict %", "accepted", "asked", "heard right", "heard strictly")
        print(table(head, rows, right=head[1:]))
    _print_pairs(results)
    kinds = [error["kind"] for error in results["errors"]]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"
    print(f"\nnot strictly right: {counted}{'' if errors else ' (--errors lists them)'}")
    if errors:
        for e in results["errors"]:
            wrong = ", ".join(f"{n}: {want} → {got}" for n, (want, got) in e["wrong_slots"].items())
            print(f"  {e['condition']:13} {e['file']} {e['kind']} [{e['heard']:.0%}] {wrong}\n    “{e['text']}”")


def _print_pairs(results: Mapping[str, Any]) -> None:
    if not results["paired"]:
        return
    print(styled("\norders that only one of two got right (exact p of McNemar's test)", "bold"))
    rows = [
        (c, *(f"{p[c]['only_ours']} : {p[c]['only_theirs']}  p {p[c]['p']:.2g}" for p in results["paired"].values()))
        for c in results["conditions"]
    ]
    print(table(("condition", *(f"ours : {name}" for name in results["paired"])), rows))


def refusal(doc: Mapping[str, Any]) -> None:
    """What was kept, what was refused, and how honest the probabilities are."""
    results = doc["results"]
    _print_meant(results)
    _print_foreign(results)
    print(styled("\nhard ones (half B): acted on", "bold"))
    for group, f in results["halves"].items():
        print(
            f"  cut in half, {group}: true so far {_of(f['true_prefix'])}, completed by invention {_of(f['invented'])}"
        )
    for group, f in results["tails"].items():
        print(
            f"  then 1.5 s of somebody else, {group}: {_of(f['acted_on'])}, of these right {_of(f['of_these_right'])}"
        )
    print(styled("\narea under the curve, meant against foreign", "bold"))
    print("  " + "; ".join(f"{name} {value:.4f}" for name, value in results["auc"].items()))
    print(styled("\nconfidence, expected calibration error", "bold"))
    print("  " + "; ".join(f"{name} {f['ece']:.3f} (n {f['n']})" for name, f in results["reliability"].items()))
    if "paste" in results:
        fit = results["fit"]
        print(styled(f"\nfitted on half A: {fit['examples']}", "bold"))
        for name, e in fit["edges"].items():
            bounds = f"refused below {e['asked']:.3f}, asked about below {e['accepted']:.3f}"
            print(f"nats a token in {name}: {bounds}; what is meant, clean and at 6 dB, is above {e['meant']:.3f}")
        print()
        print(results["paste"])


def _print_meant(results: Mapping[str, Any]) -> None:
    print(styled("\nmeant for it (half B)", "bold"))
    head = ("", "accepted %", "asked %", "right: accepted %", "wrong: acted on")
    rows = []
    for kind in ("orders", "commands"):
        for group, f in results[kind].items():
            shares = (_percent(f[name]) for name in ("accepted", "asked", "right_accepted"))
            rows.append((f"{kind} {group}", *shares, _of(f["wrong_accepted"])))
    print(table(head, rows, right=head[1:]))


def _print_foreign(results: Mapping[str, Any]) -> None:
    print(styled("\nforeign speech (half B)", "bold"))
    head = ("context", "set", "accepted", "accepted %", "acted on", "asked")
    rows = [
        (context, group, _of(f["accepted"]), _percent(f["accepted"]), _of(f["acted_on"]), _of(f["asked"]))
        for context, groups in results["foreign"].items()
        for group, f in groups.items()
    ]
    print(table(head, rows, right=head[2:]))


def latency(doc: Mapping[str, Any]) -> None:
    """Milliseconds of each stage, median and 95th percentile."""
    results = doc["results"]
    stages = ("encode", "search", "meanings", "decide")
    head = ("set", "beam", "n", *(f"{stage} ms" for stage in stages), "total ms", "CPU ms")
    rows = [
        (
            row["set"], row["beam"], row["total_ms"]["n"],
            *(_spread(row["stages_ms"][stage]) for stage in stages), _spread(row["total_ms"]), _spread(row["cpu_ms"]),
        )
        for row in results["decision"]
    ]  # fmt: skip
    print(styled("\nend of speech to decision: median / 95th percentile", "bold"))
    print(table(head, rows, right=head[1:]))
    for row in results.get("felt", ()):
        f = row["felt_ms"]
        felt = f"{f['p50']:.0f} ms, 95th percentile {f['p95']:.0f} ms (n {f['n']})"
        print(f"\n{row['set']}, played in real time: felt {felt}")
        ends = ", ".join(f"{count} by {reason}" for reason, count in row["ends"].items())
        print(f"  ended {ends}; not heard {row['not_heard']}, heard in two parts {row['split']}")


def memory(doc: Mapping[str, Any]) -> None:
    """Resident memory of each process."""
    results = doc["results"]
    print(styled(f"\na listening process, {results['devices']} devices in {results['areas']} areas", "bold"))
    head = ("", "listening MB", "steady MB", "peak MB", "decisions")
    rows = [
        (p["process"], p["listening_mb"], p["steady_mb"], p["peak_mb"], f"{p['decisions']} of {p['commands']}")
        for p in results["processes"]
    ]
    print(table(head, rows, right=head[1:]))


def start(doc: Mapping[str, Any]) -> None:
    """Seconds from the start of the program."""
    names = {
        "first": "to listening, first time (model and context are prepared)",
        "again": "to listening",
        "help": "assistant --help",
        "version": "assistant version",
    }
    head = ("", "median s", "least", "greatest", "CPU s", "n")
    rows = [
        (names[k], f"{r['median_s']:.2f}", r["min_s"], r["max_s"], r["cpu_s"], r["n"])
        for k, r in doc["results"].items()
    ]
    print(table(head, rows, right=head[1:]))


def _spread(found: Mapping[str, float]) -> str:
    return f"{found['p50']:.0f} / {found['p95']:.0f}"


def _of(found: Mapping[str, Any]) -> str:
    return f"{found['count']}/{found['n']}"


def _percent(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{100 * found['rate']:5.1f} ({100 * low:.1f}–{100 * high:.1f})"
