"""`assistant bench …`: measures what the README claims. The package `benchmarks` does it, loaded when asked."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from assistant.cli.assembly import add_engine_options
from assistant.cli.output import add_json_option, examples
from assistant.errors import PluginError, UsageError

QUICK = {
    "understand": 20,
    "refuse": 20,
    "latency": 15,
    "memory": 4,
    "start": 2,
    "wake": 10,
    "home": 12,
    "fused": 12,
    "sound": 12,
    "replay": 40,
    "scheduler": 40,
}
"""How many recordings, commands or starts a quick run takes."""

HOME_VOICES = "hibari,flite rms,flite slt"

EXAMPLES = """examples:
  assistant bench understand --plot understand.svg
  assistant bench understand --quick --peers none
  assistant bench refuse --fit
  assistant bench latency --felt
  assistant bench scheduler --quick --plot timeline.svg
  assistant bench fused --bundle generic --fit
  assistant bench sound

Recordings are found by $ASSISTANT_DATA (default ../shared/data). Every run is kept as out/bench-NAME.json with machine,
date, versions and commit; `python -m benchmarks.figures` writes docs/figures.md from them.
"""


def register(subparsers: Any) -> None:
    """Add `bench` and what can be measured."""
    bench = subparsers.add_parser("bench", help="measure", description="Measure what it can do.", epilog=EXAMPLES)
    kinds = bench.add_subparsers(dest="benchmark", metavar="WHAT", required=True)
    understand = _add(
        kinds, "understand", "spoken orders understood, clean and in noise, beside other recognisers", plot=True
    )
    understand.add_argument(
        "--peers", metavar="LIST", default="all", help="all, none, or some of exact,fuzzy,pocketsphinx"
    )
    understand.add_argument("--conditions", metavar="LIST", help="some conditions: 'clean,kitchen 6 dB,babble 6 dB'")
    understand.add_argument("--errors", action="store_true", help="list every order that is not strictly right")
    refuse = _add(kinds, "refuse", "foreign speech refused, orders kept, probabilities honest", plot=True)
    refuse.add_argument(
        "--fit", action="store_true", help="fit the probabilities on half the recordings and print them"
    )
    latency = _add(kinds, "latency", "time from the end of speech to the decision", plot=True)
    latency.add_argument("--beams", metavar="LIST", default="4,8,16", help="beam widths, side by side (default 4,8,16)")
    latency.add_argument("--felt", action="store_true", help="play files in real time and measure what a person feels")
    memory = _add(kinds, "memory", "memory of a listening process, without and with its voice", plot=False)
    memory.add_argument("--devices", type=int, default=200, metavar="N", help="devices in its context (default 200)")
    _add(kinds, "start", "time from the start of the program until it listens", plot=False)
    _add(kinds, "replay", "decisions made again from their records: all must agree; what a record costs", plot=False)
    home = _add(kinds, "home", "commands of a home of 200 devices, as text and spoken; what is done wrong", plot=False)
    home.add_argument("--voices", metavar="LIST", default=HOME_VOICES, help=f"who speaks (default {HOME_VOICES})")
    home.add_argument("--fit", action="store_true", help="fit how sure it must be on half of the sentences; print it")
    home.add_argument("--errors", action="store_true", help="list every command that was not heard strictly right")
    fused = _add(
        kinds, "fused", "orders with and without the fused model: noise, cut, talked into, foreign", plot=False
    )
    _add(kinds, "sound", "orders understood from sound alone: noise, cut, talked into, foreign", plot=False)
    fused.add_argument("--bundle", metavar="LIST", help="bundles, as NAME, NAME/VARIANT or a folder (default: all)")
    fused.add_argument("--fit", action="store_true", help="fit how its answers count on half the recordings")
    fused.add_argument("--write", action="store_true", help="with --fit: keep what was fitted in the bundle's manifest")
    scheduler = _add(
        kinds, "scheduler", "answers in time under real load, by every policy and every fixed plan", plot=True
    )
    scheduler.add_argument(
        "--scenarios", metavar="LIST", help="some scenarios: 'idle,limit falls' (default: all seven)"
    )
    scheduler.add_argument(
        "--p95-ms",
        type=int,
        metavar="MS",
        help="the objective (default: 1.3 times what the dearest plan takes when idle)",
    )
    scheduler.add_argument(
        "--overhead", action="store_true", help="only what the scheduler itself costs, and the plans"
    )
    wake = _add(kinds, "wake", "wake words missed, false alarms per hour, commands in one breath, cost", plot=False)
    wake.add_argument("--orders", type=int, default=60, metavar="N", help="orders said after the word (default 60)")


def _add(kinds: Any, name: str, summary: str, *, plot: bool) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(
        name,
        help=summary,
        description=f"Measure: {summary}.",
        epilog=examples(f"assistant bench {name} --quick", f"assistant bench {name} --json > {name}.json"),
    )
    add_engine_options(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="only N recordings of each set, spread over all")
    parser.add_argument(
        "--quick", action="store_true", help=f"a sanity run, the same as --limit {QUICK[name]} and less"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="FOLDER", help="where results and caches go")
    if plot:
        parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures as .png or .svg")
    add_json_option(parser)
    parser.set_defaults(run=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    if args.limit is not None and args.limit < 1:
        raise UsageError("--limit must be 1 or more", where=f"bench {args.benchmark}")
    if args.quick:
        args.limit = min(args.limit or QUICK[args.benchmark], QUICK[args.benchmark])
    try:
        runs = importlib.import_module("benchmarks.runs")
    except ModuleNotFoundError as error:
        if error.name not in {"benchmarks", "benchmarks.runs"}:
            raise
        raise PluginError(
            "the package benchmarks is not installed",
            where="bench",
            remedy="install the assistant from its source folder",
        ) from error
    code: int = getattr(runs, args.benchmark)(args)
    return code
