"""`assistant schedule …`: what the scheduler sees, knows and would do; once, or live."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from assistant.cli import measuring, schedule_day
from assistant.cli.output import add_json_option, print_json, styled, table
from assistant.cli.schedule_day import BARS, recorded_picks, speech_s
from assistant.cli.scheduling import always_measured, board_profile, context_plans, objective, open_policy

if TYPE_CHECKING:
    from assistant.config import Config
    from assistant.schedule.profile import Profile
    from assistant.schedule.scheduler import Scheduler, Status

EXAMPLES = """examples:
  assistant schedule status                    the board's signals, and what every plan would take now
  assistant schedule watch                     the same, live, with the decisions as they fall
  assistant schedule simulate --board "Raspberry Pi 4"   a made-up day of such a board, in a second
  assistant schedule simulate --recorded       the recorded utterances, as every policy would have decided
"""
RATES_OVER_S = 0.5
REFRESH_S = 1.0
LEARNT_FROM = 50
"""Recorded decisions that `status` and `watch` learn from."""
SHOWN_S = 2.0
"""Length of the utterance that is forecast."""


def register(subparsers: Any) -> None:
    """Add `schedule`, and `calibrate`, which measures for it."""
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
    simulate.set_defaults(run=schedule_day.run)
    measuring.register(subparsers)


# -- now -----------------------------------------------------------------------------------------------------------


def _status(args: argparse.Namespace) -> int:
    from assistant.cli.settings import load_settings

    config = load_settings(args).config
    scheduler, profile = _scheduler(config)
    time.sleep(RATES_OVER_S)
    status = scheduler.status(SHOWN_S, from_sound=True, again=True)
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

    clock, plans = SystemClock(), context_plans(config)
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
    scheduler.recall((r.pick, r.at - clock.wall(), speech_s(r)) for r in recorded_picks(config, LEARNT_FROM))
    scheduler.begin()
    return scheduler, profile


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

    names = always_measured(context_plans(config))
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
            status = scheduler.status(SHOWN_S, from_sound=True, again=True)
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
        for r in recorded_picks(config, 6)
    ]
    if rows:
        yield styled("Decisions", "cyan")
        head = ("plan", "likely", "late", "took ms", "had ms", "reason")
        yield from (f"  {line}" for line in table(head, rows, right=head[1:5]).splitlines())
