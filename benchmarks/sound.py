"""What is understood from sound alone, nothing decoded: the same clips as of the fused model, half B.

How its answers count was fitted on half A when the bundle was built (`assistant-convert build --judge`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.cli.finding import heads_finder
from assistant.cli.output import progress, styled, table
from assistant.config import Config
from assistant.errors import ModelError, PluginError
from assistant.grammar.tree import Context
from assistant.listen.clip import cut_clip
from assistant.listen.vad import open_vad
from assistant.recognize.engine import Encoding, Recognizer
from benchmarks import fused_clips
from benchmarks.fused import Rows, figures
from benchmarks.scoring import percentiles
from benchmarks.systems import decided

Table = list[tuple[str, ...]]


def measure(args: argparse.Namespace, config: Config, recognizer: Recognizer, context: Context) -> dict[str, Any]:
    """All figures of half B, and what it costs, CPU time of one thread."""
    if not isinstance(recognizer, Encoding):
        raise PluginError("needs encoder states", where="bench sound", remedy="--engine moonshine")
    heads = heads_finder(config, recognizer)(context)
    if heads is None:
        raise ModelError(
            f"no bundle has a net for sound alone for the context '{context.name}'",
            where="bench sound",
            remedy=f"assistant-convert build --context {context.name}",
        )
    vad, prepared = open_vad(config.listen.vad), recognizer.prepare(context)
    rows: Rows = []
    encode_ms, heads_ms = [], []
    with progress("listening", fused_clips.count(args.limit)) as advance:
        for case in fused_clips.cases(context, vad, args.limit):
            advance(1)
            if case.fits:
                continue
            utterance = cut_clip(case.clip.load(), vad)
            began = time.thread_time()
            transcript = recognizer.open_sound(prepared).finish(utterance)
            encoded = time.thread_time()
            transcript = heads.answer(transcript)
            encode_ms.append(1000 * (encoded - began))
            heads_ms.append(1000 * (time.thread_time() - encoded))
            rows.append((case, decided(transcript, context)))
    gate = heads.net.gate
    return {
        "half": "B",
        "figures": figures(rows),
        "gate": {"accept": gate.accept, "ask": gate.ask},
        "cost": {"encode_ms": percentiles(encode_ms), "heads_ms": percentiles(heads_ms)},
    }


ORDERS = ("condition", "orders", "strictly right", "answered", "of these wrong", "asked")
HARD = ("sound", "acted on", "order accepted or offered")


def show(doc: Mapping[str, Any]) -> None:
    """As tables for people."""
    results = doc["results"]
    print(styled("\norders understood from sound alone, half B", "bold"))
    print(table(ORDERS, _orders(results["figures"]), right=ORDERS[1:]))
    print(table(HARD, _hard(results["figures"]), right=HARD[1:]))
    print(_rest(results))


def section(results: Mapping[str, Any]) -> str:
    """As a part of docs/figures.md."""
    parts = [
        "The recogniser's encoder runs, its decoder does not: a net reads the meaning from the states. Half B.",
        _markdown(ORDERS, _orders(results["figures"])),
        _markdown(HARD, _hard(results["figures"])),
        _rest(results),
    ]
    return "\n\n".join(parts)


def _orders(found: Mapping[str, Any]) -> Table:
    rows = []
    for group, f in found["orders"].items():
        n, heard = f["strict"]["n"], f["heard_strict"]["count"]
        answered = f["strict"]["count"] + f["acted_wrong"]["count"]
        wrong, asked = f["acted_wrong"]["count"], f["asked"]["count"]
        rows.append((group, str(n), f"{heard} ({100 * heard / max(n, 1):.1f} %)", *map(str, (answered, wrong, asked))))
    return rows


def _hard(found: Mapping[str, Any]) -> Table:
    rows: Table = []
    for group, f in found["halves"].items():
        rows.append((f"cut in half, {group}: completed by invention", _of(f["invented"]), ""))
        rows.append((f"cut in half, {group}: true so far", _of(f["true_prefix"]), ""))
    rows += [(f"talked into, {group}", _of(f["acted_on"]), _of(f["offered"])) for group, f in found["tails"].items()]
    rows += [(f"foreign, {group}", _of(f["accepted"]), _of(f["asked"])) for group, f in found["foreign"].items()]
    return rows


def _rest(results: Mapping[str, Any]) -> str:
    gate, cost, sure = results["gate"], results["cost"], results["figures"]["confidence"]
    area, error = (sure.get(key, float("nan")) for key in ("auc", "ece"))
    return (
        f"It acts from {gate['accept']:.2f} sure on and asks from {gate['ask']:.2f} on. Confidence over orders: AUC "
        f"{area:.3f}, ECE {error:.3f}. CPU time, median / 95 %: encoder "
        f"{_ms(cost['encode_ms'])} ms, net and meanings {_ms(cost['heads_ms'])} ms."
    )


def _ms(found: Mapping[str, Any]) -> str:
    return f"{found['p50']} / {found['p95']}" if found["n"] else "–"


def _of(found: Mapping[str, Any]) -> str:
    return f"{found['count']}/{found['n']}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
