"""One function per `assistant bench` verb: open what it needs, measure, keep the document, print a table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import engine_flags, open_recognizer, prepare_context
from assistant.cli.finding import bundle_finder
from assistant.cli.output import plain, print_json, print_json_line, progress, styled
from assistant.cli.settings import load_settings
from assistant.errors import UsageError
from benchmarks import document, tables

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.types import Utterance
    from benchmarks.recordings import Order

QUICK_CONDITIONS = ("clean", "kitchen 6 dB")
LATENCY_CLIPS = 100
FELT_CLIPS = 40
MEMORY_COMMANDS = 12
STARTS = 5
FIRST_RUN = "first run, compiling meanwhile"


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
    net = bundle_finder(config, recognizer)
    ours = systems.Ours(recognizer, prepare_context(recognizer, context), _engine_key(config), net(context))
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
    net = bundle_finder(config, recognizer)
    barista, home = (
        systems.Ours(recognizer, prepare_context(recognizer, context), _engine_key(config), net(context))
        for context in loaded.values()
    )
    listening = Listening(open_vad(config.listen.vad), Store(args.out / "heard"))
    with progress("listening", bench.count(args.limit)) as advance:
        cases = bench.gather(listening, barista, home, args.out / "voices", args.limit, advance)
    results = bench.measure(cases, loaded)
    if args.fit:
        fitted = fitting.fit(cases, loaded)
        fresh = {name: bench.with_calibration(context, fitted.contexts[name]) for name, context in loaded.items()}
        results = bench.measure(cases, fresh) | {"fit": plain(fitted), "paste": fitting.paste(fitted)}
    doc = document.document("refuse", _command(args), results, _limited(args))
    return _finish(args, doc, tables.refusal, plots.reliability)


def fused(args: argparse.Namespace) -> int:
    """`assistant bench fused`."""
    from assistant.grammar.load import load_context
    from benchmarks import fused_run, fused_tables

    config = _config(args)
    results = fused_run.measure(args, config, open_recognizer(config), load_context(args.context or "barista"))
    return _finish(args, document.document("fused", _command(args), results, _limited(args)), fused_tables.show)


def sound(args: argparse.Namespace) -> int:
    """`assistant bench sound`."""
    from assistant.grammar.load import load_context
    from benchmarks import sound as bench

    config = _config(args)
    results = bench.measure(args, config, open_recognizer(config), load_context(args.context or "barista"))
    return _finish(args, document.document("sound", _command(args), results, _limited(args)), bench.show)


def latency(args: argparse.Namespace) -> int:
    """`assistant bench latency`, with `--felt` also what a person feels."""
    from assistant.grammar.load import load_context
    from assistant.listen.vad import open_vad
    from benchmarks import latency as bench
    from benchmarks import plots
    from benchmarks.clips import Speaker
    from benchmarks.conditions import Room

    config = _config(args)
    contexts = {name: load_context(name) for name in ("barista", "home")}
    widths = _beams(args)
    recognizers = {width: open_recognizer(_config(args, {"recognize.beam": width})) for width in widths}
    limit, vad, room = args.limit or LATENCY_CLIPS, open_vad(config.listen.vad), Room()
    speakers = [Speaker(voice, args.out / "voices") for voice in bench.VOICES]
    parts = []
    for condition in bench.CONDITIONS:
        orders = bench.cut(bench.order_clips(condition, limit, room), vad)
        commands = bench.cut(bench.command_clips(contexts["home"], condition, limit, room, speakers), vad)
        parts += [
            bench.Part(f"orders, {condition}", "barista", orders),
            bench.Part(f"home commands, {condition}", "home", commands),
        ]
    with progress("deciding", sum(len(part.utterances) for part in parts)) as advance:
        results = bench.measure(parts, recognizers, contexts, advance)
    if args.felt:
        results["felt"] = _felt(args, config, min(args.limit or FELT_CLIPS, FELT_CLIPS))
    doc = document.document("latency", _command(args), results, _limited(args))
    return _finish(args, doc, tables.latency, plots.latency)


def _felt(args: argparse.Namespace, config: Config, limit: int) -> list[dict[str, Any]]:
    """Orders and commands played in real time."""
    from assistant.act.skills import built_in
    from assistant.cli.assembly import build_segmenter
    from assistant.clock import SystemClock
    from assistant.grammar.load import load_context
    from assistant.pipeline import Understander
    from benchmarks import felt
    from benchmarks import latency as bench
    from benchmarks.clips import Speaker
    from benchmarks.conditions import Room

    room, clock, recognizer = Room(), SystemClock(), open_recognizer(config)
    speakers = [Speaker(voice, args.out / "voices") for voice in bench.VOICES]
    home = load_context("home")
    sets = (
        ("orders", load_context("barista"), bench.order_clips("clean", limit, room)),
        ("home commands", home, bench.command_clips(home, "clean", limit, room, speakers)),
    )
    rows = []
    for name, context, clips in sets:
        understander = Understander(recognizer, prepare_context(recognizer, context), built_in(clock), clock)
        with progress(f"playing {name} in real time", len(clips)) as advance:
            rows.append(felt.measure(name, clips, understander, build_segmenter(config), advance))
    return rows


def memory(args: argparse.Namespace) -> int:
    """`assistant bench memory`."""
    from assistant.grammar.load import load_context
    from benchmarks import latency, processes
    from benchmarks.clips import Speaker
    from benchmarks.conditions import Room
    from benchmarks.felt import in_a_quiet_room
    from benchmarks.make_home import make_home

    areas = max(args.devices // 10, 5)
    folder = make_home(args.devices, areas, args.out / f"home-{args.devices}")
    speakers = [Speaker("hibari", args.out / "voices")]
    clips = latency.command_clips(load_context(folder), "clean", args.limit or MEMORY_COMMANDS, Room(), speakers)
    sounds = [in_a_quiet_room(clip.load()) for clip in clips]
    context = ["--context", str(folder)]
    with_voice = [*context, "--set", "speak.voice=hibari", "--out", str(args.out / "replies")]
    rows = []
    with fresh_cache(args.out) as cache, progress("listening", 3) as advance:
        for name, options in (
            (FIRST_RUN, [*context, "--quiet"]),
            ("without a voice", [*context, "--quiet"]),
            ("with its voice loaded", with_voice),
        ):
            rows.append(processes.memory(name, options, sounds, cache))
            advance(1)
    results = {"devices": args.devices, "areas": areas, "processes": rows}
    return _finish(args, document.document("memory", _command(args), results, _limited(args)), tables.memory)


def start(args: argparse.Namespace) -> int:
    """`assistant bench start`."""
    from benchmarks import processes

    times = args.limit or STARTS
    options = ["--quiet", "--context", args.context or "home"]
    with fresh_cache(args.out) as cache, progress("starting", 4) as advance:
        first = processes.starts(options, cache, 1)
        advance(1)
        processes.run_times(["context", "compile", args.context or "home"], 1, cache)
        again = processes.starts(options, cache, times + 1)[1:]
        advance(1)
        helped = processes.run_times(["--help"], times + 1)[1:]
        advance(1)
        version = processes.run_times(["version"], times + 1)[1:]
    results = {
        "first": processes.seconds(first),
        "again": processes.seconds(again),
        "help": processes.seconds(helped),
        "version": processes.seconds(version),
    }
    return _finish(args, document.document("start", _command(args), results, _limited(args)), tables.start)


def wake(args: argparse.Namespace) -> int:
    """`assistant bench wake`."""
    from assistant.grammar.load import load_context
    from assistant.listen.vad import open_vad
    from assistant.listen.wake import open_wake_words
    from assistant.listen.wake_open import OpenOpinion
    from benchmarks import systems, wake_breath, wake_cost, wake_tables
    from benchmarks import wake as bench
    from benchmarks.recordings import barista_orders
    from benchmarks.scoring import mark

    config = _config(args)
    recognizer = open_recognizer(config)
    context = load_context("barista")
    prepared = prepare_context(recognizer, context)
    with progress("hearing words and hours of other speech", bench.count(args.limit)) as advance:
        hearings = bench.gather(args.limit, advance)
    results: dict[str, Any] = {"heard": bench.measure(hearings, OpenOpinion([bench.WORD]))}
    orders = barista_orders(min(args.limit or args.orders, args.orders))

    def right(utterance: Utterance, order: Order) -> bool:
        answer = systems.decided(recognizer.open(prepared).finish(utterance), context)
        return mark(answer, order).strict

    with progress("words and orders in one breath", 12 * len(orders)) as advance:
        rows = wake_breath.measure(orders, open_wake_words([bench.WORD]), open_vad("silero"), right, advance)
    results |= {"breath": plain(rows), "cost": wake_cost.measure()}
    return _finish(args, document.document("wake", _command(args), results, _limited(args)), wake_tables.show)


def replay(args: argparse.Namespace) -> int:
    """`assistant bench replay`; exit code 1 unless all agree."""
    from benchmarks import replay as bench

    results = bench.measure(args.limit or bench.RECORDS, open_recognizer(_config(args)))
    _finish(args, document.document("replay", _command(args), results, _limited(args)), bench.show)
    return 0 if results["records"] and results["agree"] == results["records"] else 1


def home(args: argparse.Namespace) -> int:
    """`assistant bench home`."""
    from benchmarks import home_report

    config = _config(args)
    results = home_report.measure(args, config, open_recognizer(config), _engine_key(config))
    doc = document.document("home", _command(args), results, home_report.limits(args))
    return _finish(args, doc, partial(home_report.show, errors=args.errors))


def scheduler(args: argparse.Namespace) -> int:
    """`assistant bench scheduler`; with `--json` two lines: everything, and the figures in short."""
    from benchmarks import plots, scheduler_plot, scheduler_report

    results = scheduler_report.measure(args)
    part = f"scenarios {args.scenarios}" if args.scenarios else ""
    doc = document.document(
        "scheduler-overhead" if args.overhead else "scheduler", _command(args), results, _limited(args, part)
    )
    if not args.json:
        return _finish(args, doc, scheduler_report.show, scheduler_plot.draw)
    document.write(doc, args.out)
    if args.plot is not None:
        plots.save(scheduler_plot.draw, doc, args.plot)
    print_json_line(doc)
    scheduler_report.last_line(results)
    return 0


@contextmanager
def fresh_cache(out: Path) -> Iterator[Path]:
    """An empty cache folder, as on a new machine; removed afterwards."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".cache-") as folder:
        yield Path(folder)


def _beams(args: argparse.Namespace) -> list[int]:
    try:
        return [int(width) for width in args.beams.split(",")]
    except ValueError as error:
        raise UsageError("beam widths are numbers", where="--beams", remedy="for example 4,8,16") from error


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
    from benchmarks.systems import PEERS

    names = PEERS if text == "all" else () if text == "none" else tuple(text.split(","))
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise UsageError(f"no peer {unknown[0]!r}", where="--peers", remedy=f"choose of: all, none, {', '.join(PEERS)}")
    return names


def _config(args: argparse.Namespace, more: Mapping[str, Any] | None = None) -> Config:
    return load_settings(args, engine_flags(args) | dict(more or {})).config


def _engine_key(config: Config) -> str:
    """The settings that change what is heard, for the store."""
    r = config.recognize
    return f"{r.engine} {r.beam} {r.prune} {r.lambda_}{'' if r.again else ' at first sight'}"


def _limited(args: argparse.Namespace, *more: str) -> str:
    parts = [f"{args.limit} of each set"] if args.limit else []
    return "; ".join([*parts, *filter(None, more)])


def _command(args: argparse.Namespace) -> str:
    """The command line again, as it can be repeated."""
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
