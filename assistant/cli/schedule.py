"""`assistant schedule …` and `assistant calibrate`: what the scheduler knows and would do, and measuring this board."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli.assembly import add_engine_options, engine_flags
from assistant.cli.output import add_json_option, examples, print_json, progress, styled, table
from assistant.cli.scheduling import board_profile, configured_plans, objective, open_policy, profile_file
from assistant.errors import InputError, PluginError, UsageError

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.grammar.tree import Context
    from assistant.schedule.plans import Plan
    from assistant.schedule.profile import Profile
    from assistant.schedule.scheduler import Scheduler, Status
    from assistant.schedule.simulate import Run
    from assistant.types import Utterance

EXAMPLES = """examples:
  assistant schedule status                    the board's signals, and what every plan would take now
  assistant schedule watch                     the same, live, with the decisions as they fall
  assistant schedule simulate --board "Raspberry Pi 4"   a made-up day of such a board, in a second
  assistant schedule simulate --recorded       the recorded utterances, as every policy would have decided
"""
SENTENCES = 24
RATES_OVER_S = 0.5
REFRESH_S = 1.0
LEARNT_FROM = 50
"""Recorded decisions that `status` and `watch` learn from."""
SHOWN_S = 2.0
"""Length of the utterance that is forecast."""
BARS = " ▁▂▃▄▅▆▇█"


def register(subparsers: Any) -> None:
    """Add `schedule` and `calibrate`."""
    schedule = subparsers.add_parser(
        "schedule",
        help="what the scheduler sees and does",
        description="What the scheduler sees, what it would choose, and how it would get through a day.",
        epilog=EXAMPLES,
    )
    verbs = schedule.add_subparsers(dest="schedule", metavar="WHAT", required=True)
    status = verbs.add_parser("status", help="signals and forecasts now", description="Signals and forecasts now.")
    add_json_option(status)
    status.set_defaults(run=_status)
    watch = verbs.add_parser("watch", help="the same, live", description="Signals, forecasts and decisions, live.")
    watch.add_argument("--times", type=int, metavar="N", help="refresh N times and stop (default: until Ctrl-C)")
    watch.set_defaults(run=_watch)
    simulate = verbs.add_parser(
        "simulate", help="a day in a second", description="Run the policies through a made-up day, or a recorded one."
    )
    simulate.add_argument("--recorded", action="store_true", help="the decisions in the trace instead of a made-up day")
    simulate.add_argument("--hours", type=float, default=24.0, metavar="N", help="length of the day (default 24)")
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="which day is made up (default 0)")
    simulate.add_argument("--board", metavar="NAME", help='estimates for this board ("Raspberry Pi 4") instead of ours')
    add_json_option(simulate)
    simulate.set_defaults(run=_simulate)
    calibrate = subparsers.add_parser(
        "calibrate",
        help="measure what the plans cost on this board",
        description="Measure what every plan costs on this board, in less than three minutes: a voice speaks sentences "
        "of the context. (`assistant context calibrate` fits how a context is heard.)",
        epilog=examples("assistant calibrate", "assistant calibrate --dry-run --json"),
    )
    add_engine_options(calibrate)
    calibrate.add_argument("--recordings", type=Path, metavar="FOLDER", help="your own recordings instead of a voice")
    calibrate.add_argument(
        "--limit", type=int, default=SENTENCES, metavar="N", help=f"utterances (default {SENTENCES})"
    )
    calibrate.add_argument("--dry-run", action="store_true", help="print, write nothing")
    add_json_option(calibrate)
    calibrate.set_defaults(run=_calibrate)


# -- now -----------------------------------------------------------------------------------------------------------


def _status(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings

    config = load_settings(args).config
    scheduler, profile = _scheduler(config)
    time.sleep(RATES_OVER_S)
    status = scheduler.status(SHOWN_S)
    if args.json:
        print_json(
            {
                "signals": status.signals.numbers,
                "slowdown": status.slowdown,
                "learnt_factor": _factor(status),
                "profile": {
                    "estimated": profile.estimated,
                    "board": profile.identity.board,
                    "made_at": profile.made_at,
                },
                "stale": _stale(config, profile),
                "plan": status.history.plan or None,
                "plans": [
                    {
                        "plan": f.plan.name,
                        "accuracy": f.plan.accuracy,
                        "likely_ms": round(f.likely_ms, 1),
                        "late_ms": round(f.late_ms, 1),
                        "missing": f.missing,
                    }
                    for f in status.forecasts
                ],
                "p95_ms": scheduler.objective.p95_ms,
            }
        )
        return 0
    print("\n".join(_status_lines(config, scheduler, profile, status)))
    return 0


def _scheduler(config: Config) -> tuple[Scheduler, Profile]:
    """A scheduler that has learnt from the recorded decisions and has read the board once."""
    from assistant.clock import SystemClock
    from assistant.schedule.board import Board
    from assistant.schedule.scheduler import Scheduler

    clock, plans = SystemClock(), configured_plans(config)
    profile = board_profile(config, plans)
    scheduler = Scheduler(
        profile,
        clock,
        Board(),
        plans=plans,
        policy=open_policy(config),
        objective=lambda: objective(config, clock),
        tell=lambda _line: None,
    )
    scheduler.recall((r.pick, r.at - clock.wall(), _speech_s(r)) for r in _recorded(config, LEARNT_FROM))
    scheduler.begin()
    return scheduler, profile


def _recorded(config: Config, limit: int) -> list[Any]:
    """The last decisions that the scheduler chose for, oldest first."""
    from assistant.cli.tracing import trace_folder
    from assistant.trace.file import TraceReader

    reader = TraceReader(trace_folder(config))
    try:
        return [r for r in reversed(list(reader.records(limit))) if r.pick is not None and r.utterance is not None]
    finally:
        reader.close()


def _speech_s(record: Any) -> float:
    return float(record.utterance.speech_end_s - record.utterance.speech_start_s)


def _status_lines(config: Config, scheduler: Scheduler, profile: Profile, status: Status) -> Iterator[str]:
    from assistant.schedule.signals import in_words

    what = "estimates, never measured here"
    if profile.estimated and profile.made_at:
        what = f"estimates, corrected by what utterances took until {_day(profile.made_at)}"
    elif not profile.estimated:
        what = f"measured {_day(profile.made_at)}"
    yield f"{styled('Board', 'cyan')}      {profile.identity.board or 'unknown'}: {what}"
    reasons = _stale(config, profile)
    if reasons and not profile.estimated:
        yield f"           stale: {'; '.join(reasons)} (run `assistant calibrate`)"
    yield f"{styled('Presses', 'cyan')}    {in_words(status.signals) or 'nothing'}"
    shown = {name: value for name, value in status.signals.numbers.items() if name != "waiting"}
    yield f"{styled('Signals', 'cyan')}    " + ", ".join(f"{name} {value:.3g}" for name, value in shown.items())
    factor = f"{status.slowdown:.2f} by signals, {_factor(status):.2f} learnt from utterances"
    yield f"{styled('Slowdown', 'cyan')}   {factor}; 95 % quantile at {status.belief.z:.2f} deviations"
    budget_ms = scheduler.objective.p95_ms
    policy = scheduler.policy.name
    yield f"{styled('Objective', 'cyan')}  decided within {budget_ms:.0f} ms in 95 of 100; policy {policy}"
    yield f"{styled('Plans', 'cyan')}      for {SHOWN_S:.0f} s of speech:"
    rows = [
        (
            f.plan.name,
            f"{f.plan.accuracy:.1%}",
            f"{f.likely_ms:.0f}",
            f"{f.late_ms:.0f}",
            f.missing or ("in time" if f.late_ms <= budget_ms else "perhaps" if f.likely_ms <= budget_ms else "late"),
        )
        for f in status.forecasts
    ]
    head = ("plan", "accuracy", "likely ms", "late ms", "")
    yield from (f"  {line}" for line in table(head, rows, right=head[1:4]).splitlines())


def _factor(status: Status) -> float:
    import math

    return math.exp(status.belief.log)


def _stale(config: Config, profile: Profile) -> tuple[str, ...]:
    from assistant.schedule.profile import stale, this_board

    names = [plan.name for plan in configured_plans(config)]
    return stale(profile, this_board(threads=config.recognize.threads), names)


def _day(made_at: float) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(made_at).astimezone():%d %B %Y}"


# -- live ----------------------------------------------------------------------------------------------------------


def _watch(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from assistant.cli.settings import load_settings

    config = load_settings(args).config
    scheduler, profile = _scheduler(config)
    pressures: list[float] = []
    left = args.times
    with Live(console=Console(), auto_refresh=False, transient=False) as live:
        while left is None or left > 0:
            time.sleep(REFRESH_S)
            status = scheduler.status(SHOWN_S)
            pressures = [*pressures, status.signals.pressure or 0.0][-60:]
            lines = [
                *_status_lines(config, scheduler, profile, status),
                f"{styled('Pressure', 'cyan')}   {_spark(pressures)} the last minute",
                *_decision_lines(config),
            ]
            live.update(Text.from_ansi("\n".join(lines)), refresh=True)
            left = None if left is None else left - 1
    return 0


def _spark(shares: list[float]) -> str:
    return "".join(BARS[min(int(share * len(BARS)), len(BARS) - 1)] for share in shares)


def _decision_lines(config: Config) -> Iterator[str]:
    """The last decisions: foreseen and measured."""
    rows = [
        (
            r.pick.plan,
            f"{r.pick.likely_ms:.0f}",
            f"{r.pick.late_ms:.0f}",
            "" if r.pick.measured_ms is None else f"{r.pick.measured_ms:.0f}",
            f"{r.pick.budget_ms:.0f}",
            r.pick.reason[:60],
        )
        for r in _recorded(config, 6)
    ]
    if rows:
        yield styled("Decisions", "cyan")
        head = ("plan", "likely", "late", "took ms", "had ms", "reason")
        yield from (f"  {line}" for line in table(head, rows, right=head[1:5]).splitlines())


# -- a day ---------------------------------------------------------------------------------------------------------


def _simulate(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings
    from assistant.clock import SystemClock
    from assistant.schedule.policy import Fixed, Greedy, Slo
    from assistant.schedule.simulate import Oracle, day, recorded, simulate

    if not 0 < args.hours <= 24 * 31:
        raise UsageError("--hours must be above 0 and at most a month", where="schedule simulate")
    config = load_settings(args).config
    plans = configured_plans(config)
    profile = _profile_of(config, plans, args.board)
    goal = objective(config, SystemClock())
    if args.recorded:
        records = _recorded(config, 10_000)
        moments = recorded([(r.at, _speech_s(r), r.pick) for r in records], profile)
        if not moments:
            raise InputError("no decision with a plan is recorded", where="trace", remedy="let `assistant run` listen")
    else:
        moments = day(args.hours, args.seed)
    cheapest, best = plans[0].name, plans[-1].name
    policies = (Slo(), Greedy(), Fixed(best, f"fixed {best}"), Fixed(cheapest, f"fixed {cheapest}"), Oracle())
    chosen = open_policy(config)
    if chosen.name not in ("slo", "greedy", "fixed"):
        policies = (chosen, *policies)  # type: ignore[assignment]
    runs = [simulate(moments, profile, plans, policy, goal) for policy in policies]
    if args.json:
        print_json({"board": profile.identity.board, "utterances": len(moments), "runs": [_run_row(r) for r in runs]})
        return 0
    print(f"{len(moments)} utterances on {profile.identity.board}, decided within {goal.p95_ms:.0f} ms:")
    rows = [
        (
            r.policy,
            f"{r.misses / max(len(moments), 1):.1%}",
            f"{r.avoidable / max(len(moments), 1):.1%}",
            f"{r.accuracy:.2%}",
            r.switches,
            f"{r.busy_s:.1f}",
            f"{r.energy_j:.1f}",
        )
        for r in runs
    ]
    head = ("policy", "late", "avoidably", "accuracy", "switches", "CPU s", "energy J")
    print(table(head, rows, right=head[1:]))
    print(f"\n{runs[0].policy}, plan by plan through the day (darker is dearer):\n{_timeline(runs[0], plans)}")
    return 0


def _profile_of(config: Config, plans: tuple[Plan, ...], board: str | None) -> Profile:
    if board is None:
        return board_profile(config, plans)
    from msgspec.structs import replace

    from assistant.schedule.priors import board_prior, estimate
    from assistant.schedule.profile import this_board

    if not board_prior(board).name:
        raise UsageError(f"no board {board!r} is known", where="--board", remedy="for example: Raspberry Pi 4")
    return estimate(plans, replace(this_board(), board=board))


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "policy": run.policy,
        "misses": run.misses,
        "avoidable": run.avoidable,
        "accuracy": round(run.accuracy, 4),
        "switches": run.switches,
        "busy_s": round(run.busy_s, 2),
        "energy_j": round(run.energy_j, 2),
    }


def _timeline(run: Run, plans: tuple[Plan, ...], columns: int = 96) -> str:
    """One character a stretch of the day: the mean rank of the plans that ran."""
    rank = {plan.name: index for index, plan in enumerate(plans, 1)}
    ranks = [rank[name] for name in run.plans]
    columns = min(columns, len(ranks))
    parts = [ranks[i * len(ranks) // columns : (i + 1) * len(ranks) // columns] for i in range(columns)]
    return "".join(BARS[round(sum(part) / len(part) / len(plans) * (len(BARS) - 1))] for part in parts)


# -- measuring -----------------------------------------------------------------------------------------------------


def _calibrate(args: argparse.Namespace) -> int:
    from assistant.cli.assembly import open_context, open_recognizer, prepare_context
    from assistant.cli.settings import load_settings
    from assistant.recognize.engine import Adjustable
    from assistant.schedule.board import Board
    from assistant.schedule.calibrate import measure
    from assistant.schedule.plans import PLANS
    from assistant.schedule.priors import board_prior
    from assistant.schedule.profile import measured, save, this_board

    if args.limit < 4:
        raise UsageError("--limit must be 4 or more", where="calibrate")
    config = load_settings(args, engine_flags(args)).config
    context = open_context(config)
    recognizer = open_recognizer(config, context.settings.language)
    if not isinstance(recognizer, Adjustable):
        raise PluginError(f"{recognizer.name} cannot be adjusted", where="calibrate", remedy="use the engine moonshine")
    prepared = prepare_context(recognizer, context)
    utterances = _utterances(config, context, args)
    adjustable = recognizer

    def run(plan: Plan, utterance: Utterance) -> None:
        assert plan.effort is not None
        adjustable.open_with(prepared, plan.effort, lambda: False).finish(utterance)

    plans = [plan for plan in PLANS if plan.effort is not None and not recognizer.ready(plan.effort)]
    identity = this_board(threads=config.recognize.threads)
    with progress("measuring", len(utterances)) as advance:
        found = measure(
            plans,
            utterances,
            run,
            Board(),
            one_thread=config.recognize.threads == 1,
            typical_w=board_prior(identity.board).watts,
            advance=advance,
        )
    profile = measured(found.costs, identity, time.time())
    path = profile_file(config)
    if not args.dry_run:
        save(profile, path)
    if args.json:
        print_json(profile)
        return 0
    print(f"{identity.board}: {found.n} utterances, {len(plans)} plans")
    rows = [
        (name, f"{c.base_ms:.1f} + {c.per_s_ms:.1f} a second of speech", f"±{c.spread:.0%}", f"{c.energy_mj:.0f}")
        for name, c in found.costs.items()
    ]
    energy = "mJ a second" if found.watts is not None else "mJ a second (estimated)"
    print(table(("plan", "milliseconds", "spread", energy), rows, right=("spread", energy)))
    print("nothing was written" if args.dry_run else f"written to {path}")
    return 0


def _utterances(config: Config, context: Context, args: argparse.Namespace) -> list[Utterance]:
    """Recordings, or sentences of the context by the voice, cut as the assistant would cut them."""
    from assistant.cli.calibrate import _read
    from assistant.cli.spoken import spoken
    from assistant.folders import folders, usable_cache
    from assistant.grammar.sample import sample
    from assistant.listen.clip import cut_clip
    from assistant.listen.vad import open_vad
    from assistant.speak.speech import Speech
    from assistant.speak.voice import choose_voice

    vad = open_vad(config.listen.vad)
    if args.recordings is not None:
        kinds = (".wav", ".flac", ".ogg", ".mp3")
        paths = sorted(path for path in args.recordings.rglob("*") if path.suffix.lower() in kinds)[: args.limit]
        if len(paths) < 4:
            raise InputError("fewer than four recordings", where=str(args.recordings), remedy="record some commands")
        return [cut_clip(_read(path), vad) for path in paths]
    cache = usable_cache(folders(config.paths).cache) / "phrases"
    speech = Speech(choose_voice("auto", language=context.settings.language), folder=cache)
    with progress("speaking", args.limit) as advance:
        utterances = []
        for number, sentence in enumerate(sample(context, args.limit, seed=3)):
            utterances.append(cut_clip(spoken(speech, sentence.text, seed=number), vad))
            advance(1)
    return utterances
