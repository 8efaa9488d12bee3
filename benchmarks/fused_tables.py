"""The figures of the fused model as tables for people, and as a section of docs/figures.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    rows: list[tuple[str, ...]] = []
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


SECTION = """\
The same sound with and without the net that compares each meaning with it; how its answers count is fitted on half A of
the recordings (by MD5 of the file name), all figures are of half B. Strict: answered, with the intent and every slot
right and none invented. Heard: the same if nothing were refused or asked about.
"""


def section(results: Mapping[str, Any]) -> str:
    """As Markdown."""
    head = ("", "condition", "strict %", "heard strictly", "asked", "wrong, acted on", "true, refused")
    orders = [
        (name, group, f"{100 * f['strict']['rate']:.1f}", *map(_of, (f[key] for key in _KEYS)))
        for name, figures in results["systems"].items()
        for group, f in figures["orders"].items()
    ]
    hard_head = ("", "sound", "acted on", "order offered")
    hard = [row for name, figures in results["systems"].items() for row in _hard_rows(name, figures)]
    lines = [SECTION, _markdown(head, orders), ""]
    reach = ", ".join(f"{group} {_of(found)}" for group, found in results["best_of_list"].items())
    lines += [f"Strictly right somewhere in the recogniser's list: {reach}.", "", _markdown(hard_head, hard), ""]
    for name, pairs in results["paired"].items():
        said = ", ".join(
            f"{g} +{p['only_ours']} −{p['only_theirs']} (p {p['p']:.2g})" for g, p in pairs["heard"].items()
        )
        lines.append(f"Orders that only one of two heard strictly right, {name} against the recogniser alone: {said}.")
    lines += [
        "",
        _markdown(("", "confidence over orders: AUC", "ECE", "CPU ms an utterance, median / 95 %"), _rest(results)),
    ]
    return "\n".join(lines)


_KEYS = ("heard_strict", "asked", "acted_wrong", "true_refused")


def _hard_rows(name: str, figures: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for group, f in figures["halves"].items():
        rows.append((name, f"cut in half, {group}: completed by invention", _of(f["invented"]), ""))
        rows.append((name, f"cut in half, {group}: true so far", _of(f["true_prefix"]), ""))
    for group, f in figures["tails"].items():
        rows.append((name, f"talked into, {group}", _of(f["acted_on"]), _of(f["offered"])))
    for group, f in figures["foreign"].items():
        rows.append((name, f"foreign speech, {group}", _of(f["accepted"]), _of(f["asked"])))
    return rows


def _rest(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, figures in results["systems"].items():
        c, cost = figures["confidence"], results["cost"].get(name)
        ms = f"{cost['both_ms']['p50']} / {cost['both_ms']['p95']}" if cost else ""
        rows.append((name, f"{c.get('auc', float('nan')):.3f}", f"{c.get('ece', float('nan')):.3f}", ms))
    return rows


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
