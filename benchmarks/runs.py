"""One function per `assistant bench` verb: open what it needs, measure, keep the document, print a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import engine_flags, open_recognizer, prepare_context
from assistant.cli.bench import PEERS
from assistant.cli.output import plain, print_json, progress, styled
from assistant.cli.settings import load_settings
from assistant.errors import UsageError
from benchmarks import document, tables

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
    from benchmarks.listening import Listening
    from benchmarks.recordings import barista_orders
    from benchmarks.store import Store

    orders = barista_orders(args.limit)
    chosen = _conditions(args)
    config = _config(args)
    recognizer = open_recognizer(config)
    context = load_context(args.context or "barista")
    ours = systems.Ours(recognizer, prepare_context(recognizer, context), _engine_key(config))
    peers = systems.open_peers(_peers(args.peers), recognizer, context)
    listening = Listening(open_vad(config.listen.vad), Store(args.out / "heard"))
    with progress("listening to orders", len(orders) * len(chosen)) as advance:
        results = bench.measure(listening, [ours, *peers], orders, [conditions.BY_NAME[c] for c in chosen], advance)
    limited = _limited(args, f"conditions {', '.join(chosen)}" if len(chosen) < len(conditions.ALL) else "")
    doc = document.document("understand", _command(args), results, limited)
    show = partial(tables.understanding, errors=args.errors)
    return _finish(args, doc, show, plots.understanding)


def refuse(args: argparse.Namespace) -> int:
    """`assistant bench refuse`."""
    from assistant.grammar.load import load_context
    from assistant.listen.vad import open_vad
    from benchmarks import fitting, plots, systems
    from benchmarks import refuse as bench
    from benchmarks.listening import Listening
    from benchmarks.store import Store

    config = _config(args)
    recognizer = open_recognizer(config)
    loaded = {name: load_context(name) for name in ("barista", "home")}
    barista, home = (
        systems.Ours(recognizer, prepare_context(recognizer, context), _engine_key(config))
        for context in loaded.values()
    )
    listening = Listening(open_vad(config.listen.vad), Store(args.out / "heard"))
    with progress("listening", bench.count(args.limit)) as advance:
        cases = bench.gather(listening, barista, home, args.out / "voices", args.limit, advance)
    results = bench.measure(cases, loaded)
    if args.fit:
        fitted = fitting.fit(cases, loaded)
        fresh = {name: bench.with_calibration(context, fitted.calibration) for name, context in loaded.items()}
        results = bench.measure(cases, fresh) | {"fit": plain(fitted), "paste": fitting.paste(fitted)}
    doc = document.document("refuse", _command(args), results, _limited(args))
    return _finish(args, doc, tables.refusal, plots.reliability)


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
    show: Callable[[Mapping[str, Any]], None],
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
    show(doc)
    m = doc["machine"]
    print(f"\n{m['processor']}, {m['cores']} cores, load {m['load']}; {doc['date']}; commit {doc['commit']}")
    print(f"kept in {path}{f', drawn in {plot}' if plot else ''}")
    return 0
