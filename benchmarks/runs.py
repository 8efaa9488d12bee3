"""One function per `assistant bench` verb: open what it needs, measure, keep the document, print a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import engine_flags, open_recognizer, prepare_context
from assistant.cli.bench import PEERS
from assistant.cli.output import print_json, progress, styled, table
from assistant.cli.settings import load_settings
from assistant.errors import UsageError
from benchmarks import document

if TYPE_CHECKING:
    from pathlib import Path

    from assistant.config import Config

QUICK_CONDITIONS = ("clean", "kitchen 6 dB")


def understand(args: argparse.Namespace) -> int:
    """`assistant bench understand`."""
    from assistant.grammar.load import load_context
    from assistant.listen.vad import open_vad
    from benchmarks import conditions, plots, systems
    from benchmarks import understand as bench
    from benchmarks.recordings import barista_orders
    from benchmarks.store import Store

    orders = barista_orders(args.limit)
    chosen = _conditions(args)
    config = _config(args)
    recognizer = open_recognizer(config)
    context = load_context(args.context or "barista")
    ours = systems.Ours(recognizer, prepare_context(recognizer, context), _engine_key(config))
    peers = systems.open_peers(_peers(args.peers), recognizer, context)
    listening = bench.Listening(open_vad(config.listen.vad), Store(args.out / "heard"))
    with progress("listening to orders", len(orders) * len(chosen)) as advance:
        results = bench.measure(listening, [ours, *peers], orders, [conditions.BY_NAME[c] for c in chosen], advance)
    limited = _limited(args, f"conditions {', '.join(chosen)}" if len(chosen) < len(conditions.ALL) else "")
    doc = document.document("understand", _command(args), results, limited)
    return _finish(args, doc, _print_understanding, plots.understanding)


def _print_understanding(doc: Mapping[str, Any], args: argparse.Namespace) -> None:
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
    print(f"\nnot strictly right: {counted}{'' if args.errors else ' (--errors lists them)'}")
    if args.errors:
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


def _conditions(args: argparse.Namespace) -> list[str]:
    """The names of the conditions to listen under. Raises UsageError for an unknown one."""
    from benchmarks.conditions import BY_NAME

    if args.conditions is None:
        return [*QUICK_CONDITIONS] if args.quick else list(BY_NAME)
    chosen = [name.strip() for name in args.conditions.split(",")]
    unknown = [name for name in chosen if name not in BY_NAME]
    if unknown:
        raise UsageError(
            f"no condition {unknown[0]!r}", where="--conditions", remedy=f"choose of: {', '.join(BY_NAME)}"
        )
    return chosen


def _peers(text: str) -> tuple[str, ...]:
    names = PEERS if text == "all" else () if text == "none" else tuple(text.split(","))
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise UsageError(f"no peer {unknown[0]!r}", where="--peers", remedy=f"choose of: all, none, {', '.join(PEERS)}")
    return names


def _config(args: argparse.Namespace) -> Config:
    return load_settings(args, engine_flags(args)).config


def _engine_key(config: Config) -> str:
    """The settings that change what is heard, for the store."""
    r = config.recognize
    return f"{r.engine} {r.beam} {r.prune} {r.lambda_}"


def _limited(args: argparse.Namespace, *more: str) -> str:
    parts = [f"{args.limit} of each set"] if args.limit else []
    return "; ".join([*parts, *filter(None, more)])


def _command(args: argparse.Namespace) -> str:
    """The command line again, as it can be repeated."""
    from pathlib import Path

    words = sys.argv[1:] if "bench" in sys.argv else ["bench", args.benchmark]
    return " ".join(["assistant", *(Path(w).name if w.startswith("/") else w for w in words)])


def _finish(
    args: argparse.Namespace,
    doc: Mapping[str, Any],
    show: Callable[[Mapping[str, Any], argparse.Namespace], None],
    draw: Callable[..., None] | None = None,
) -> int:
    """Keep the document, draw it, print it."""
    path = document.write(doc, args.out)
    plot: Path | None = getattr(args, "plot", None)
    if plot is not None and draw is not None:
        from benchmarks import plots

        plots.save(draw, doc, plot)
    if args.json:
        print_json(doc)
        return 0
    if doc["limited"]:
        print(styled(f"only a part was measured: {doc['limited']}", "yellow"))
    show(doc, args)
    m = doc["machine"]
    print(f"\n{m['processor']}, {m['cores']} cores, load {m['load']}; {doc['date']}; commit {doc['commit']}")
    print(f"kept in {path}{f', drawn in {plot}' if plot else ''}")
    return 0


def _percent(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{100 * found['rate']:5.1f} ({100 * low:.1f}–{100 * high:.1f})"
