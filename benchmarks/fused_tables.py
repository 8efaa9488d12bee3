"""The figures of the fused model as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.cli.output import styled, table


def show(doc: Mapping[str, Any]) -> None:
    """All of them."""
    results = doc["results"]
    _orders(results)
    _pairs(results)
    _hard(results)
    _cost(results)
    print(styled("\nhow the answers count", "bold"))
    for name, fusion in results["fusions"].items():
        numbers = {
            key: {n: round(v, 4) for n, v in f.items()} if isinstance(f, dict) else f for key, f in fusion.items()
        }
        print(f"  {name}: {numbers}")


def _orders(results: Mapping[str, Any]) -> None:
    print(styled("\norders, half B", "bold"))
    head = ("", "condition", "strict %", "heard right", "heard strictly", "asked", "wrong: acted on", "true: refused")
    rows = []
    for name, figures in results["systems"].items():
        for group, f in figures["orders"].items():
            counts = (_of(f[key]) for key in ("heard_right", "heard_strict", "asked", "acted_wrong", "true_refused"))
            rows.append((name, group, f"{100 * f['strict']['rate']:.1f}", *counts))
    print(table(head, rows, right=head[2:]))
    reach = ", ".join(f"{group} {_of(found)}" for group, found in results["best_of_list"].items())
    print(f"strictly right somewhere in the list: {reach}")


def _pairs(results: Mapping[str, Any]) -> None:
    print(
        styled("\norders that only one got strictly right: with the net, without (exact p of McNemar's test)", "bold")
    )
    for name, pairs in results["paired"].items():
        for kind, groups in pairs.items():
            said = ", ".join(f"{g} +{p['only_ours']} -{p['only_theirs']} (p {p['p']:.2g})" for g, p in groups.items())
            print(f"  {name}, {kind}: {said}")


def _hard(results: Mapping[str, Any]) -> None:
    for name, figures in results["systems"].items():
        print(styled(f"\n{name}", "bold"))
        for group, f in figures["halves"].items():
            print(
                f"  cut in half, {group}: invented {_of(f['invented'])}, true so far {_of(f['true_prefix'])} acted on"
            )
        for group, f in figures["tails"].items():
            print(f"  talked into, {group}: acted on {_of(f['acted_on'])}, order offered {_of(f['offered'])}")
        for group, f in figures["foreign"].items():
            print(f"  foreign, {group}: accepted {_of(f['accepted'])}, asked {_of(f['asked'])}")
        for key, words in (("confidence", "orders"), ("confidence_with_foreign", "orders and foreign speech")):
            f = figures[key]
            if "auc" in f:
                print(f"  confidence over {words}: AUC {f['auc']:.4f}, ECE {f['ece']:.4f} (n {f['n']})")


def _cost(results: Mapping[str, Any]) -> None:
    print(styled("\ncost, milliseconds of one thread an utterance, median / 95 %", "bold"))
    for name, f in results["cost"].items():
        parts = ", ".join(f"{k.removesuffix('_ms')} {f[k]['p50']} / {f[k]['p95']}" for k in f if k.endswith("_ms"))
        print(f"  {name}: {parts} ({f['hypotheses']} hypotheses)")


def _of(found: Mapping[str, Any]) -> str:
    return f"{found['count']}/{found['n']}"
