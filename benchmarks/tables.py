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
        print(f"a foreign clip hardly reaches {fit['foreign_edge']:.3f} nats a token, an order hardly falls below")
        print(f"{fit['meant_edge']:.3f}; `doubt` is the middle of that gap, `refuse` a quarter into it\n")
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


def _of(found: Mapping[str, Any]) -> str:
    return f"{found['count']}/{found['n']}"


def _percent(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{100 * found['rate']:5.1f} ({100 * low:.1f}–{100 * high:.1f})"
